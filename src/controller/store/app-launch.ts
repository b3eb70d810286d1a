import type { Db } from '../../platform/db.ts';
import type { AppPlace, AppRow } from './app.ts';
import { getApp, getAppPlace } from './app.ts';
import { type DropletRow, findDroplet } from './droplet.ts';
import { type Address, listAddresses, listProcessesOf, type ProcessRow } from './process.ts';
import type { ControllerSchema, SecurityGroupRule } from './schema.ts';

type Database = Db<ControllerSchema>;

/** Everything that a start of an app's processes is made of, sealed values still sealed. */
export type LaunchFacts = {
  readonly app: AppRow;
  readonly place: AppPlace;
  readonly processes: readonly ProcessRow[];
  /** By droplet guid. */
  readonly droplets: ReadonlyMap<string, DropletRow>;
  readonly addresses: readonly Address[];
  readonly groupSealed: string | undefined;
  readonly egress: readonly SecurityGroupRule[];
};

export async function readLaunchFacts(db: Database, appGuid: string): Promise<LaunchFacts> {
  const app = await getApp(db, appGuid);
  const processes = await listProcessesOf(db, appGuid);
  const droplets = new Map<string, DropletRow>();
  for (const guid of new Set(processes.map((process) => process.droplet_guid))) {
    const droplet = guid === null ? undefined : await findDroplet(db, guid);
    if (droplet) droplets.set(droplet.guid, droplet);
  }
  return {
    app,
    place: await getAppPlace(db, app.space_guid),
    processes,
    droplets,
    addresses: await listAddresses(db, appGuid),
    groupSealed: await findSealedGroup(db, 'running'),
    egress: await listEgressRules(db, app.space_guid, 'running'),
  };
}

/** The variables of an environment variable group, still sealed. */
export async function findSealedGroup(db: Database, name: 'running' | 'staging'): Promise<string | undefined> {
  const row = await db
    .selectFrom('environment_variable_groups')
    .select('sealed')
    .where('name', '=', name)
    .executeTakeFirst();
  return row?.sealed;
}

/** What apps of a space may reach: the rules of the groups for everyone and of those bound to the space. */
export async function listEgressRules(
  db: Database,
  spaceGuid: string,
  lifecycle: 'running' | 'staging',
): Promise<SecurityGroupRule[]> {
  const rows = await db
    .selectFrom('security_groups')
    .select('rules')
    .where((eb) =>
      eb.or([
        eb(lifecycle === 'running' ? 'running_default' : 'staging_default', '=', true),
        eb(
          'guid',
          'in',
          eb
            .selectFrom('security_group_spaces')
            .select('security_group_guid')
            .where('space_guid', '=', spaceGuid)
            .where('lifecycle', '=', lifecycle),
        ),
      ]),
    )
    .orderBy('id')
    .execute();
  return rows.flatMap((row) => row.rules);
}
