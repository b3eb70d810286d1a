import type { InjectOptions } from 'fastify';
import { ClusterConfig } from '../../contract/config.ts';
import { decode } from '../../contract/decode.ts';
import { FakeClock } from '../../platform/clock.ts';
import { silentLog } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { signPath } from '../../platform/secret-box.ts';
import { temporaryDatabase } from '../../platform/testing/postgres.ts';
import { buildServer } from '../server.ts';
import { buildAok } from '../service.ts';
import { migrations } from '../store/migrations.ts';
import { type AokSchema, schemaName } from '../store/schema.ts';

export const admin = { email: 'admin@example.com', password: 'a good password' };

/** A whole login server on a database and clock of its own, with its first administrator unless nobody is to be. */
export async function startLoginServer(
  settings: Record<string, unknown> = {},
  { isClaimed = true, config = decode(ClusterConfig, { aok: settings }, 'config') } = {},
) {
  const database = await temporaryDatabase<AokSchema>({ schema: schemaName, migrations });
  const clock = new FakeClock();
  const key = Buffer.alloc(32, 7).toString('base64');
  const aok = buildAok({
    db: database.db,
    config,
    encryptionKey: key,
    signingKey: key,
    clientSecrets: { 'ssh-proxy': 'ssh secret', cloud_controller: 'cc secret' },
    clock,
    random: systemRandom,
    log: silentLog,
  });
  await aok.prepare();
  const server = buildServer(aok);
  const call = async (options: InjectOptions) => {
    const response = await server.inject(options);
    return {
      status: response.statusCode,
      headers: response.headers,
      text: response.body,
      body: (response.body.startsWith('{') || response.body.startsWith('[') ? response.json() : {}) as Record<
        string,
        unknown
      > &
        Record<'access_token' | 'refresh_token' | 'error' | 'error_description' | 'id' | 'jti', string>,
    };
  };
  const token = (fields: Record<string, string>, client = 'cf:', query = '') =>
    call({
      method: 'POST',
      url: `/oauth/token${query}`,
      headers: {
        authorization: `Basic ${Buffer.from(client).toString('base64')}`,
        'content-type': 'application/x-www-form-urlencoded',
      },
      payload: new URLSearchParams(fields).toString(),
    });
  const firstAdmin = (payload: unknown, expiresAtS = Math.floor(clock.nowMs() / 1000) + 60) =>
    call({
      method: 'POST',
      url: signPath(key, { method: 'POST', path: '/internal/v1/first_admin', expiresAtS }),
      payload: payload as object,
    });
  const setupPassword = (password: string) =>
    call({
      method: 'POST',
      url: signPath(key, {
        ...{ method: 'POST', path: '/internal/v1/setup_password' },
        expiresAtS: Math.floor(clock.nowMs() / 1000) + 60,
      }),
      payload: { password },
    });
  const logIn = (userName = admin.email, password = admin.password) =>
    token({ grant_type: 'password', username: userName, password });
  if (isClaimed) await firstAdmin(admin);
  return {
    aok,
    clock,
    call,
    token,
    firstAdmin,
    setupPassword,
    logIn,
    bearer: async (userName?: string, password?: string) => ({
      authorization: `bearer ${(await logIn(userName, password)).body.access_token}`,
    }),
    [Symbol.asyncDispose]: async () => {
      await server.close();
      await database[Symbol.asyncDispose]();
    },
  };
}
