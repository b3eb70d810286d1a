import { join } from 'node:path';
import { BlobStoreError } from '../blobstore/blobstore.ts';
import { openBlobStore } from '../blobstore/open.ts';
import { claimSharedFolder } from '../blobstore/shared-folder.ts';
import type { Bus } from '../bus/bus.ts';
import { componentPart } from '../bus/component.ts';
import { Registrant } from '../bus/registrant.ts';
import { decode } from '../contract/decode.ts';
import { systemHosts } from '../contract/hosts.ts';
import { serviceHost, Topology } from '../contract/topology.ts';
import { consoleFiles } from '../controller/api/console-files.ts';
import type { Controller, ControllerDb } from '../controller/api/controller.ts';
import { JobWorker } from '../controller/api/job-worker.ts';
import { buildServer } from '../controller/api/server.ts';
import { measureTraffic, type Traffic } from '../controller/api/traffic.ts';
import { loginServerDirectory } from '../controller/api/user-directory.ts';
import { appJobs } from '../controller/app-deletion.ts';
import { appEvents, appParts, appSideRoutes, createAppServices } from '../controller/app-runtime.ts';
import type { AppServices } from '../controller/app-services.ts';
import { heldBlobs, sweepBlobs } from '../controller/held-blobs.ts';
import { controllerJobs } from '../controller/jobs.ts';
import { controllerRoutes } from '../controller/routes.ts';
import { appScopes } from '../controller/store/app-scope.ts';
import { countWork } from '../controller/store/job.ts';
import { controllerMigrations, controllerSchemaName } from '../controller/store/migrations/list.ts';
import type { ControllerSchema } from '../controller/store/schema.ts';
import { organizationScopes } from '../controller/store/scope.ts';
import { seedPlatform } from '../controller/store/seed.ts';
import type { Boot } from '../platform/config.ts';
import { type Db, openDatabase } from '../platform/db.ts';
import { readJsonIfExists } from '../platform/files.ts';
import { type Part, part } from '../platform/lifecycle.ts';
import { sourceRoot } from '../platform/paths.ts';
import { Revocations } from '../platform/revocations.ts';
import { secretBox } from '../platform/secret-box.ts';
import { tokenVerifier } from '../platform/token-verifier.ts';
import { migrateWhenUp } from './database.ts';
import type { Role } from './role.ts';
import { findS3Keys } from './s3-keys.ts';

const LISTEN = '127.0.0.1';
const STATUS_MS = 30_000;

/** The Cloud Controller: the API, its jobs, staging and placement, and the console's files. */
export const controller: Role = async (boot, bus) => {
  const { databaseUrl, encryptionKey, signingKey, clientSecrets = {} } = boot.credentials;
  const loginServer = `http://${LISTEN}:${boot.config.aok.port}`;
  if (!databaseUrl || !encryptionKey || !signingKey) {
    throw new Error(
      'credentials/controller.json lacks databaseUrl, encryptionKey or signingKey; run `kato node setup micro` again',
    );
  }
  const db = openDatabase<ControllerSchema>(databaseUrl, { schema: controllerSchemaName });
  const s3 = await findS3Keys(boot, bus);
  const stored = await openBlobStore(
    { ...boot, credentials: { ...boot.credentials, ...(s3 && { s3 }) } },
    async (folder) => claimSharedFolder({ folder, ...(await claimantOf(boot)) }),
  );
  const deps: Controller = {
    db,
    bus,
    blobs: heldBlobs(stored, db),
    config: boot.config,
    serviceHost: serviceHost(boot.node),
    clock: boot.clock,
    random: boot.random,
    log: boot.log,
    box: secretBox(encryptionKey),
    signingKey,
    verifyToken: tokenVerifier(`${loginServer}/token_keys`, new Revocations({ loginServer, signingKey, ...boot })),
    users: loginServerDirectory(loginServer, { secret: clientSecrets.cloud_controller ?? '', clock: boot.clock }),
    events: appEvents(
      () => deps,
      () => services,
    ),
    scopes: { ...organizationScopes, ...appScopes },
    jobCommitted: () => jobs.wake(),
  };
  const services = createAppServices(deps, join(boot.paths.scratch, 'controller'));
  const status: Status = { counts: {}, unwell: undefined };
  const jobs = new JobWorker(deps, { ...controllerJobs, ...appJobs(() => services) });
  return [
    databasePart(boot, db),
    ...appParts(deps, services),
    part('jobs', () => {
      jobs.start();
      return () => jobs[Symbol.asyncDispose]();
    }),
    part('held blobs', () => {
      const sweep = sweepBlobs({ blobs: stored, db, clock: boot.clock, log: boot.log });
      return () => sweep[Symbol.dispose]();
    }),
    part('http', () => listen(deps, services, status)),
    part('status', () => keepStatus(boot, deps, status)),
    componentPart({
      ...{ type: 'CloudController', bus, boot },
      varz: () => ({ ...status.counts, jobs_running: jobs.running }),
      unwell: () => status.unwell,
    }),
    part('routes', () => registerRoutes(boot, bus)),
  ];
};

/** Which cluster this controller works for. The Core alone marks a folder as the cluster's. */
async function claimantOf({ node, paths }: Boot): Promise<{ cluster: string; memory?: string }> {
  if (node.roles.includes('primary')) return { cluster: node.id, memory: join(paths.blobs, '.shared-folder') };
  return { cluster: decode(Topology, await readJsonIfExists(paths.topologyFile), paths.topologyFile).core };
}

/** The database may come up after us: wait for it rather than fall. */
function databasePart(boot: Boot, db: ControllerDb): Part {
  return part('database', async () => {
    const tables = { schema: controllerSchemaName, migrations: controllerMigrations };
    await migrateWhenUp(boot, { db: db as Db<unknown>, ...tables });
    await seedPlatform(db, { random: boot.random, domain: boot.config.cluster.domain });
    return () => db.destroy();
  });
}

/** What the status page tells besides what every component does. */
type Status = {
  counts: { vcap_sinatra?: Traffic; cc_user_count?: number; cc_job_queue_length?: number };
  /** Why blobs can't be used now. */
  unwell: string | undefined;
};

/** Counts of the database and the state of the blob store, brought up to date now and then. */
function keepStatus(boot: Boot, { db, blobs }: Controller, status: Status): () => void {
  const refresh = async () => {
    try {
      const { jobs, users } = await countWork(db);
      Object.assign(status.counts, { cc_user_count: users, cc_job_queue_length: jobs });
    } catch (error) {
      boot.log.warn('failed-to-count', { error });
    }
    try {
      await blobs.check();
      status.unwell = undefined;
    } catch (error) {
      if (!(error instanceof BlobStoreError)) throw error;
      if (status.unwell !== error.message) boot.log.error('failed-to-use-blobs', { error });
      status.unwell = error.message;
    }
  };
  const timer = boot.clock.every(STATUS_MS, refresh);
  void refresh();
  return () => timer[Symbol.dispose]();
}

async function listen(deps: Controller, services: AppServices, status: Status): Promise<() => Promise<void>> {
  const files = consoleFiles(join(sourceRoot, 'dist', 'console'), deps.config.cluster.domain);
  const server = await buildServer(deps, [...controllerRoutes, ...appSideRoutes(services)], files);
  status.counts.vcap_sinatra = measureTraffic(server);
  await server.listen({ host: LISTEN, port: deps.config.controller.port });
  return () => server.close();
}

function registerRoutes(boot: Boot, bus: Bus): () => Promise<void> {
  const { domain } = boot.config.cluster;
  const hosts = systemHosts(domain);
  const registration = {
    host: serviceHost(boot.node),
    port: boot.config.controller.port,
    uris: [hosts.api, hosts.console, domain],
    tags: { component: 'CloudController' },
    private_instance_id: 'controller',
  };
  const registrant = new Registrant({
    bus,
    clock: boot.clock,
    intervalS: boot.config.router.registerS,
    registrations: () => [registration],
    isShared: !boot.node.isMicro,
  });
  return () => registrant[Symbol.asyncDispose]();
}
