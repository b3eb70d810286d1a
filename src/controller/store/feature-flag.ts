import { sql } from 'kysely';
import type { Db } from '../../platform/db.ts';
import type { ControllerSchema } from './schema.ts';

/** Every feature flag and what it is unless an admin said otherwise. */
export const featureFlags = {
  user_org_creation: false,
  private_domain_creation: true,
  app_bits_upload: true,
  app_scaling: true,
  route_creation: true,
  service_instance_creation: true,
  diego_docker: false,
  diego_cnb: false,
  set_roles_by_username: true,
  unset_roles_by_username: true,
  task_creation: true,
  env_var_visibility: true,
  space_scoped_private_broker_creation: true,
  space_developer_env_var_visibility: true,
  service_instance_sharing: false,
  hide_marketplace_from_unauthenticated_users: false,
  resource_matching: true,
  route_sharing: false,
  hash_based_routing: false,
} as const satisfies Record<string, boolean>;

export type FeatureFlag = keyof typeof featureFlags;

export async function isFeatureEnabled(db: Db<ControllerSchema>, name: FeatureFlag): Promise<boolean> {
  const row = await db.selectFrom('feature_flags').select('enabled').where('name', '=', name).executeTakeFirst();
  return row?.enabled ?? featureFlags[name];
}

export type FeatureFlagRow = {
  readonly name: FeatureFlag;
  readonly enabled: boolean;
  readonly custom_error_message: string | null;
  readonly updated_at: Date | null;
};

/** Every flag by name, as it is now. */
export async function listFeatureFlags(db: Db<ControllerSchema>): Promise<FeatureFlagRow[]> {
  const changed = await db.selectFrom('feature_flags').selectAll().execute();
  return (Object.keys(featureFlags) as FeatureFlag[]).sort().map((name) => {
    const row = changed.find((one) => one.name === name);
    return {
      name,
      enabled: row?.enabled ?? featureFlags[name],
      custom_error_message: row?.custom_error_message ?? null,
      updated_at: row?.updated_at ?? null,
    };
  });
}

export async function saveFeatureFlag(
  db: Db<ControllerSchema>,
  name: FeatureFlag,
  flag: { enabled: boolean; custom_error_message: string | null },
): Promise<void> {
  const values = { ...flag, updated_at: sql<Date>`now()` };
  await db
    .insertInto('feature_flags')
    .values({ name, ...values })
    .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
    .execute();
}
