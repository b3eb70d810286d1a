import { readFile } from 'node:fs/promises';
import type { Bus } from '../bus/bus.ts';
import { componentPart } from '../bus/component.ts';
import { busPidFile, writeBusConfig } from '../bus/server-config.ts';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { subjects } from '../contract/subjects.ts';
import type { Topology } from '../contract/topology.ts';
import type { Boot } from '../platform/config.ts';
import { type Db, openDatabase } from '../platform/db.ts';
import { isMissing, readJsonIfExists } from '../platform/files.ts';
import { type Part, part } from '../platform/lifecycle.ts';
import { secretBox } from '../platform/secret-box.ts';
import { topologyNodeOf } from '../platform/topology-node.ts';
import { CertificateService } from '../primary/certificate-service.ts';
import { ConfigService } from '../primary/config-service.ts';
import { NodeRegistry } from '../primary/node-registry.ts';
import { Registry } from '../primary/registry.ts';
import { ClusterStore } from '../primary/store/cluster-store.ts';
import { ConfigStore } from '../primary/store/config-store.ts';
import { allowDatabaseUser, banDatabaseUsers } from '../primary/store/database-users.ts';
import { migrations } from '../primary/store/migrations.ts';
import { NodeStore } from '../primary/store/node-store.ts';
import { type PrimarySchema, schemaName } from '../primary/store/schema.ts';
import { SecretStore } from '../primary/store/secret-store.ts';
import { migrateWhenUp } from './database.ts';
import type { Role } from './role.ts';

/** Cluster configuration and node registry. */
export const primary: Role = (boot, bus) => {
  const { clock, log } = boot;
  const { databaseUrl, encryptionKey } = boot.credentials;
  if (!databaseUrl || !encryptionKey) {
    throw new Error('credentials/primary.json lacks databaseUrl or encryptionKey; run `kato node setup micro` again');
  }
  const db = openDatabase<PrimarySchema>(databaseUrl, { schema: schemaName, max: 3 });
  const store = new ConfigStore(db);
  const secrets = new SecretStore(db, secretBox(encryptionKey));
  const registry = new NodeRegistry({ store: new NodeStore(db), clock, log });
  return [
    part('database', async () => {
      await migrateWhenUp(boot, { db: db as Db<unknown>, schema: schemaName, migrations });
      await store.initialise((await readJsonIfExists(boot.paths.clusterFile)) ?? {});
      return () => db.destroy();
    }),
    part('config service', async () => {
      const service = new ConfigService({ bus, store, secrets, clock, log });
      await service.announce();
      return () => service[Symbol.dispose]();
    }),
    part('certificates', async () => {
      const service = new CertificateService({ bus, secrets, rolesOf: rolesIn(boot, db), clock, log });
      await service.announce();
      return () => service[Symbol.dispose]();
    }),
    part('node registry', () => {
      const subscription = bus.subscribe(subjects.nodeStatus, [], (status) => registry.saw(status), { serial: true });
      return () => subscription[Symbol.dispose]();
    }),
    ...(boot.node.isMicro ? [] : clusterParts(boot, bus, { db, store })),
    componentPart({ type: 'Primary', bus, boot, varz: () => registry.varz() }),
  ];
};

/** A micro cloud is no cluster that would know its own node. */
function rolesIn({ node }: Boot, db: Db<PrimarySchema>): (nodeId: string) => Promise<readonly string[]> {
  const cluster = new ClusterStore(db);
  return async (nodeId) => {
    if (node.isMicro) return nodeId === node.id ? node.roles : [];
    return (await cluster.read()).nodes.find(({ id }) => id === nodeId)?.roles ?? [];
  };
}

/** Takes machines in and tells every node of the others. */
function clusterParts(boot: Boot, bus: Bus, { db, store }: { db: Db<PrimarySchema>; store: ConfigStore }): Part[] {
  const { node, paths, clock, random, log } = boot;
  const cluster = new ClusterStore(db);
  const registry = new Registry({
    ...{ store: cluster, bus, paths, clock, random, log },
    secrets: secretsOf(boot),
    config: async () => {
      const { config: stored } = await store.read();
      return { stored, decoded: decode(ClusterConfig, stored, 'cluster configuration') };
    },
    publishUsers: (topology) => publishUsers(boot, topology),
    database: { allow: (user) => allowDatabaseUser(db, user), ban: (index) => banDatabaseUsers(db, index) },
  });
  return [
    part('topology', async () => {
      const topology = await cluster.ensureCore(topologyNodeOf(node), new Date(clock.nowMs()));
      const subscription = bus.subscribe(subjects.topologyGet, [], async (_empty, message) =>
        message.respond(await registry.topology()),
      );
      await registry.admitToDatabase(topology);
      await registry.announce(topology);
      return () => subscription[Symbol.dispose]();
    }),
    part('registry server', async () => {
      const { buildRegistryServer, listenOnSocket } = await import('../primary/registry-server.ts');
      return listenOnSocket(buildRegistryServer(registry, log, paths.release), paths.registrySocket);
    }),
  ];
}

function secretsOf({ credentials }: Boot) {
  const { nodeKey, encryptionKey, signingKey, clientSecrets, databaseUrl } = credentials;
  if (!nodeKey || !encryptionKey || !signingKey || !clientSecrets || !databaseUrl) {
    throw new Error('credentials/primary.json lacks the cluster’s keys; run `kato node setup core` again');
  }
  return { nodeKey, encryptionKey, signingKey, clientSecrets, databaseUrl };
}

async function publishUsers({ paths, config, credentials }: Boot, topology: Topology): Promise<void> {
  const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const { nodeKey = '' } = credentials;
  if (!(await writeBusConfig(paths, { port: config.bus.port, nodeKey, topology, owner }))) return;
  try {
    process.kill(Number(await readFile(busPidFile(paths), 'utf8')), 'SIGHUP');
  } catch (error) {
    // A server that is not running reads its users when it starts.
    if (!isMissing(error) && !(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
