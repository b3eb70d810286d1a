import { memoryBlobStore } from '../../blobstore/memory.ts';
import { MemoryBus } from '../../bus/memory.ts';
import { ClusterConfig } from '../../contract/config.ts';
import { decode } from '../../contract/decode.ts';
import { systemClock } from '../../platform/clock.ts';
import { silentLog } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { secretBox } from '../../platform/secret-box.ts';
import { temporaryDatabase } from '../../platform/testing/postgres.ts';
import type { TokenClaims } from '../../platform/token-verifier.ts';
import { controllerMigrations, controllerSchemaName } from '../store/migrations/list.ts';
import type { ControllerSchema } from '../store/schema.ts';
import { organizationScopes, type ScopeFinders } from '../store/scope.ts';
import { seedPlatform } from '../store/seed.ts';
import type { ConsoleFiles } from './console-files.ts';
import type { Controller } from './controller.ts';
import { noEvents } from './controller-events.ts';
import { type JobHandlers, JobWorker } from './job-worker.ts';
import type { Route } from './route.ts';
import { buildServer } from './server.ts';
import { emptyDirectory } from './user-directory.ts';

const KEY = Buffer.alloc(32, 7).toString('base64');

/** What a test API answers. */
export type TestAnswer = {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
  readonly headers: Readonly<Record<string, string | number | string[] | undefined>>;
};

export type TestApi = AsyncDisposable & {
  readonly controller: Controller;
  readonly jobs: JobWorker;
  /** Calls as `admin`, another user name, or nobody (''). A string or Buffer is sent as it is. */
  readonly call: (
    method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE' | 'HEAD',
    path: string,
    options?: { as?: string; body?: unknown; headers?: Record<string, string> },
  ) => Promise<TestAnswer>;
};

/** Users of a test API by name: guid `<name>-guid`; extra scopes for the powerful ones. */
const SCOPES: Readonly<Record<string, string>> = {
  admin: 'cloud_controller.admin',
  reader: 'cloud_controller.admin_read_only',
  auditor: 'cloud_controller.global_auditor',
};

/** The API over a database of its own. A token is `bearer <user name>`. Jobs run when `jobs.idle()` is awaited. */
export async function testApi(options: {
  /** Routes, or what makes them once there is a controller. */
  routes: readonly Route[] | ((controller: Controller) => readonly Route[]);
  scopes?: ScopeFinders;
  jobs?: JobHandlers;
  controller?: Partial<Controller>;
  console?: ConsoleFiles;
}): Promise<TestApi> {
  const database = await temporaryDatabase<ControllerSchema>({
    schema: controllerSchemaName,
    migrations: controllerMigrations,
  });
  const config = decode(ClusterConfig, {}, 'config');
  const controller: Controller = {
    db: database.db,
    bus: new MemoryBus(),
    blobs: memoryBlobStore(),
    config,
    clock: systemClock,
    random: systemRandom,
    log: silentLog,
    box: secretBox(KEY),
    serviceHost: '127.0.0.1',
    signingKey: KEY,
    verifyToken: async (authorization) => claimsOf(authorization),
    events: noEvents,
    users: emptyDirectory,
    scopes: { ...organizationScopes, ...options.scopes },
    jobCommitted: () => {},
    ...options.controller,
  };
  await seedPlatform(controller.db, { random: systemRandom, domain: config.cluster.domain });
  const app = await buildServer(
    controller,
    typeof options.routes === 'function' ? options.routes(controller) : options.routes,
    options.console,
  );
  const jobs = new JobWorker(controller, options.jobs ?? {});
  return {
    controller,
    jobs,
    call: async (method, path, { as = 'admin', body, headers } = {}) => {
      const answer = await app.inject({
        method,
        url: path,
        headers: {
          host: `api.${config.cluster.domain}`,
          ...(as ? { authorization: `bearer ${as}` } : {}),
          'content-type': 'application/json',
          ...headers,
        },
        ...(body === undefined
          ? {}
          : { payload: typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body) }),
      });
      const isJson = String(answer.headers['content-type']).startsWith('application/json');
      const parsed = isJson && answer.payload !== '' ? answer.json() : answer.payload;
      return { status: answer.statusCode, body: parsed, headers: answer.headers };
    },
    [Symbol.asyncDispose]: async () => {
      await jobs[Symbol.asyncDispose]();
      await app.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

function claimsOf(authorization: string | undefined): TokenClaims | 'missing' | 'invalid' {
  if (authorization === undefined) return 'missing';
  const [scheme = '', name = ''] = authorization.split(' ');
  if (scheme.toLowerCase() !== 'bearer' || name === 'invalid') return 'invalid';
  const extra = SCOPES[name];
  return {
    userGuid: `${name}-guid`,
    userName: name,
    email: `${name}@example.com`,
    origin: 'uaa',
    clientId: 'cf',
    scopes: ['cloud_controller.read', 'cloud_controller.write', ...(extra ? [extra] : [])],
    expiresAtS: 4_000_000_000,
  };
}
