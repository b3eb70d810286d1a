import { sql } from 'kysely';
import { defaultStack } from '../../contract/stacks.ts';
import type { Db } from '../../platform/db.ts';
import type { Random } from '../../platform/random.ts';
import type { ControllerSchema, SecurityGroupRule } from './schema.ts';

const BUILDPACKS = ['nodejs', 'python', 'staticfile', 'go', 'ruby', 'php', 'java', 'binary'];
const DEFAULT_QUOTA = {
  name: 'default',
  total_memory_in_mb: 102_400,
  total_routes: 1000,
  total_service_instances: 100,
};

const SECURITY_GROUPS: Readonly<Record<string, readonly SecurityGroupRule[]>> = {
  public_networks: [
    { protocol: 'all', destination: '0.0.0.0-9.255.255.255' },
    { protocol: 'all', destination: '11.0.0.0-169.253.255.255' },
    { protocol: 'all', destination: '169.255.0.0-172.15.255.255' },
    { protocol: 'all', destination: '172.32.0.0-192.167.255.255' },
    { protocol: 'all', destination: '192.169.0.0-255.255.255.255' },
  ],
  dns: [
    { protocol: 'tcp', destination: '0.0.0.0/0', ports: '53' },
    { protocol: 'udp', destination: '0.0.0.0/0', ports: '53' },
  ],
};

/** Makes what a new platform begins with; leaves alone what is there. */
export async function seedPlatform(
  db: Db<ControllerSchema>,
  options: { random: Random; domain: string },
): Promise<void> {
  const { random, domain } = options;
  await db.transaction().execute(async (tx) => {
    // Several controllers may start at once.
    await sql`select pg_advisory_xact_lock(hashtext('seed the platform'))`.execute(tx);
    const add = async <T extends { name: string }>(items: readonly T[], insert: (item: T) => Promise<unknown>) => {
      for (const item of items) await insert(item);
    };
    await tx
      .insertInto('organization_quotas')
      .values({ guid: random.guid(), ...DEFAULT_QUOTA })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    await tx
      .insertInto('domains')
      .values({ guid: random.guid(), name: domain })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
    const stacks = [
      { name: defaultStack, description: 'Debian 13 with the runtimes of the built-in buildpacks', is_default: true },
      { name: 'cflinuxfs4', description: `Another name of ${defaultStack}`, is_default: false },
    ];
    await add(stacks, (stack) =>
      tx
        .insertInto('stacks')
        .values({ guid: random.guid(), ...stack })
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    );
    const groups = Object.entries(SECURITY_GROUPS).map(([name, rules]) => ({ name, rules: JSON.stringify(rules) }));
    await add(groups, (group) =>
      tx
        .insertInto('security_groups')
        .values({ guid: random.guid(), ...group, running_default: true, staging_default: true })
        .onConflict((conflict) => conflict.doNothing())
        .execute(),
    );
    const { count } = await tx
      .selectFrom('buildpacks')
      .select((eb) => eb.fn.countAll<number>().as('count'))
      .where('is_built_in', '=', true)
      .executeTakeFirstOrThrow();
    if (count > 0) return;
    const buildpacks = BUILDPACKS.map((name, i) => ({ name: `${name}_buildpack`, position: i + 1 }));
    await add(buildpacks, (buildpack) =>
      tx
        .insertInto('buildpacks')
        .values({ guid: random.guid(), ...buildpack, stack: defaultStack, state: 'READY', is_built_in: true })
        .execute(),
    );
  });
}
