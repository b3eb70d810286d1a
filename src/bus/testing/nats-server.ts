import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { busUserNames, formatBusConfig } from '../../core/bus-permissions.ts';
import { exec, start } from '../../platform/exec.ts';
import { temporaryDirectory, writeFileAtomic } from '../../platform/files.ts';
import { silentLog } from '../../platform/log.ts';
import { freePort } from '../../platform/testing/free-port.ts';
import type { Bus } from '../bus.ts';
import { connectNats } from '../nats.ts';

/** A nats-server with the platform's own configuration, users and rights, for one test. */
export type NatsServer = AsyncDisposable & {
  /** `bus` of a credentials file. */
  readonly credentials: (user: string) => { servers: string[]; user: string; password: string; caFile: string };
  readonly connect: (user: string) => Promise<Bus>;
};

export async function startNatsServer(): Promise<NatsServer> {
  const folder = await temporaryDirectory('nats');
  const at = (name: string) => join(folder.path, name);
  const port = await freePort();
  await exec([
    ...['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'],
    ...['-keyout', at('key.pem'), '-out', at('cert.pem'), '-subj', '/CN=test', '-days', '1'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost'],
  ]);
  const config = formatBusConfig({
    listen: `127.0.0.1:${port}`,
    serverName: 'test',
    tls: { certificate: at('cert.pem'), key: at('key.pem'), ca: at('cert.pem') },
    pidFile: at('nats.pid'),
    users: busUserNames.map((name) => ({ user: name, process: name, password: `secret-${name}` })),
    guests: { monitor: 'secret-guest-monitor', router: 'secret-guest-router' },
  });
  await writeFileAtomic(at('nats.conf'), config, 0o600);
  // It must not outlive the test process, however that one ends.
  const server = start(['setpriv', '--pdeathsig', 'KILL', 'nats-server', '-c', at('nats.conf')], {}, [
    'ignore',
    'ignore',
    'pipe',
  ]);
  await ready(server);
  const credentials = (user: string) => ({
    ...{ servers: [`tls://127.0.0.1:${port}`], user, password: `secret-${user}`, caFile: at('cert.pem') },
  });
  return {
    credentials,
    connect: async (user) => {
      const { caFile, ...rest } = credentials(user);
      return connectNats({ ...rest, ca: await readFile(caFile, 'utf8'), name: user, log: silentLog });
    },
    [Symbol.asyncDispose]: async () => {
      const ended = once(server, 'exit');
      server.kill('SIGKILL');
      await ended;
      await folder[Symbol.asyncDispose]();
    },
  };
}

function ready(server: ReturnType<typeof start>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let said = '';
  server.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-4000);
    if (said.includes('Server is ready')) resolve();
  });
  server.once('error', reject);
  server.once('exit', (code) => reject(new Error(`nats-server ended with ${code}: ${said}`)));
  return promise;
}
