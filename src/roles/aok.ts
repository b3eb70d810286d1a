import { buildServer } from '../aok/server.ts';
import { type Aok, buildAok } from '../aok/service.ts';
import { migrations } from '../aok/store/migrations.ts';
import type { AokSchema } from '../aok/store/schema.ts';
import { schemaName } from '../aok/store/schema.ts';
import type { Bus } from '../bus/bus.ts';
import { componentPart } from '../bus/component.ts';
import { Registrant } from '../bus/registrant.ts';
import { systemHosts } from '../contract/hosts.ts';
import { serviceHost } from '../contract/topology.ts';
import type { Boot } from '../platform/config.ts';
import { type Db, openDatabase } from '../platform/db.ts';
import { part } from '../platform/lifecycle.ts';
import { migrateWhenUp } from './database.ts';
import type { Role } from './role.ts';

const LISTEN = '127.0.0.1';
const PRUNE_MS = 600_000;

/** The login server. */
export const aok: Role = (boot, bus) => {
  const { databaseUrl, encryptionKey, signingKey, clientSecrets = {} } = boot.credentials;
  if (!databaseUrl || !encryptionKey || !signingKey) {
    throw new Error(
      'credentials/aok.json lacks databaseUrl, encryptionKey or signingKey; run `kato node setup micro` again',
    );
  }
  const db = openDatabase<AokSchema>(databaseUrl, { schema: schemaName });
  const service = buildAok({ ...boot, db, encryptionKey, signingKey, clientSecrets });
  return [
    part('database', async () => {
      await migrateWhenUp(boot, { db: db as Db<unknown>, schema: schemaName, migrations });
      await service.prepare();
      const pruning = boot.clock.every(PRUNE_MS, () =>
        service.prune().catch((error) => boot.log.warn('failed-pruning', { error })),
      );
      return async () => {
        pruning[Symbol.dispose]();
        await db.destroy();
      };
    }),
    part('http', () => listen(service, boot)),
    componentPart({ type: 'AOK', bus, boot }),
    part('routes', () => registerRoutes(boot, bus)),
  ];
};

async function listen(service: Aok, boot: Boot): Promise<() => Promise<void>> {
  const server = buildServer(service);
  await server.listen({ host: LISTEN, port: boot.config.aok.port });
  return () => server.close();
}

function registerRoutes(boot: Boot, bus: Bus): () => Promise<void> {
  const hosts = systemHosts(boot.config.cluster.domain);
  const registration = {
    host: serviceHost(boot.node),
    port: boot.config.aok.port,
    uris: [hosts.login, hosts.uaa, hosts.aok, `${hosts.console}/oauth`, `${hosts.api}/stackato/license`],
    tags: { component: 'aok' },
    private_instance_id: 'aok',
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
