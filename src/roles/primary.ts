import { componentPart } from '../bus/component.ts';
import { subjects } from '../contract/subjects.ts';
import { type Db, openDatabase } from '../platform/db.ts';
import { readJsonIfExists } from '../platform/files.ts';
import { part } from '../platform/lifecycle.ts';
import { ConfigService } from '../primary/config-service.ts';
import { NodeRegistry } from '../primary/node-registry.ts';
import { ConfigStore } from '../primary/store/config-store.ts';
import { migrations } from '../primary/store/migrations.ts';
import { NodeStore } from '../primary/store/node-store.ts';
import { type PrimarySchema, schemaName } from '../primary/store/schema.ts';
import { migrateWhenUp } from './database.ts';
import type { Role } from './role.ts';

/** Cluster configuration and node registry. */
export const primary: Role = (boot, bus) => {
  const { databaseUrl } = boot.credentials;
  if (!databaseUrl) throw new Error('credentials/primary.json lacks databaseUrl; run `kato node setup micro` again');
  const db = openDatabase<PrimarySchema>(databaseUrl, { schema: schemaName, max: 3 });
  const store = new ConfigStore(db);
  const registry = new NodeRegistry({ store: new NodeStore(db), clock: boot.clock, log: boot.log });
  return [
    part('database', async () => {
      await migrateWhenUp(boot, { db: db as Db<unknown>, schema: schemaName, migrations });
      await store.initialise((await readJsonIfExists(boot.paths.clusterFile)) ?? {});
      return () => db.destroy();
    }),
    part('config service', async () => {
      const service = new ConfigService({ bus, store, clock: boot.clock, log: boot.log });
      await service.announce();
      return () => service[Symbol.dispose]();
    }),
    part('node registry', () => {
      const subscription = bus.subscribe(subjects.nodeStatus, [], (status) => registry.saw(status), { serial: true });
      return () => subscription[Symbol.dispose]();
    }),
    componentPart({ type: 'Primary', bus, boot, varz: () => registry.varz() }),
  ];
};
