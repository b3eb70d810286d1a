import type { ColumnType, Generated } from 'kysely';
import type { RoleType } from '../../core/permissions.ts';
import type { AppTables } from './app-schema.ts';
import type { Json, Labelled, Resource, Time } from './column.ts';

export type OrganizationTable = Resource &
  Labelled & { name: string; suspended: Generated<boolean>; quota_guid: string };

export type SpaceTable = Resource &
  Labelled & { name: string; organization_guid: string; ssh_enabled: Generated<boolean> };

export type UserTable = Resource & Labelled & { username: string | null; origin: string | null };

export type RoleTable = Resource & {
  type: RoleType;
  user_guid: string;
  /** Also set for space roles: the space's organization. */
  organization_guid: string;
  space_guid: string | null;
};

export type DomainTable = Resource &
  Labelled & { name: string; internal: Generated<boolean>; organization_guid: string | null };

export type DomainShareTable = { domain_guid: string; organization_guid: string };

export type RouteTable = Resource &
  Labelled & {
    host: string;
    path: string;
    port: number | null;
    domain_guid: string;
    space_guid: string;
    options: Json<Record<string, string>>;
  };

export type RouteShareTable = { route_guid: string; space_guid: string };

export type DestinationTable = Resource & {
  route_guid: string;
  app_guid: string;
  process_type: string;
  port: number | null;
  protocol: string;
};

export type JobState = 'PROCESSING' | 'POLLING' | 'COMPLETE' | 'FAILED';
export type JobMessage = { code: number; title: string; detail: string };

export type JobTable = Resource & {
  operation: string;
  state: Generated<JobState>;
  errors: Json<JobMessage[]>;
  warnings: Json<{ detail: string }[]>;
  /** The collection and guid that the job is about, for its link. */
  resource_type: string | null;
  resource_guid: string | null;
  user_guid: string | null;
  payload: Json<unknown>;
  run_at: Time;
  lease_until: ColumnType<Date | null, Date | null | undefined, Date | null>;
  attempts: Generated<number>;
  /** How often it was claimed: whoever claimed it last may end it. */
  claims: Generated<number>;
};

export type AuditEventTable = Resource & {
  type: string;
  actor_guid: string;
  actor_type: string;
  actor_name: string;
  target_guid: string;
  target_type: string;
  target_name: string;
  space_guid: string | null;
  organization_guid: string | null;
  data: Json<Record<string, unknown>>;
};

export type FeatureFlagTable = {
  name: string;
  enabled: boolean;
  custom_error_message: string | null;
  updated_at: Time;
};

/** `sealed`: the variables as JSON, encrypted. */
export type EnvironmentVariableGroupTable = { name: string; sealed: string; updated_at: Time };

export type StackTable = Resource &
  Labelled & {
    name: string;
    description: string;
    state: Generated<string>;
    state_reason: string | null;
    is_default: Generated<boolean>;
  };

export type BuildpackTable = Resource &
  Labelled & {
    name: string;
    stack: string | null;
    position: number;
    enabled: Generated<boolean>;
    locked: Generated<boolean>;
    lifecycle: Generated<string>;
    state: Generated<'AWAITING_UPLOAD' | 'READY'>;
    filename: string | null;
    sha256: string | null;
    /** Comes with the platform: its bits are in the platform's own source tree. */
    is_built_in: Generated<boolean>;
  };

export type OrganizationQuotaTable = Resource & {
  name: string;
  total_memory_in_mb: number | null;
  per_process_memory_in_mb: number | null;
  total_instances: number | null;
  per_app_tasks: number | null;
  log_rate_limit_in_bytes_per_second: number | null;
  paid_services_allowed: Generated<boolean>;
  total_service_instances: number | null;
  total_service_keys: number | null;
  total_routes: number | null;
  total_reserved_ports: number | null;
  total_domains: number | null;
};

export type SecurityGroupRule = {
  protocol: 'tcp' | 'udp' | 'icmp' | 'icmpv6' | 'all';
  destination: string;
  ports?: string;
  type?: number;
  code?: number;
  description?: string;
  log?: boolean;
};

export type SecurityGroupTable = Resource & {
  name: string;
  rules: Json<SecurityGroupRule[]>;
  running_default: Generated<boolean>;
  staging_default: Generated<boolean>;
};

export type SecurityGroupSpaceTable = {
  security_group_guid: string;
  space_guid: string;
  lifecycle: 'running' | 'staging';
};

/** Every table of the controller; those of apps are in `app-schema.ts`. */
export type ControllerSchema = {
  organizations: OrganizationTable;
  spaces: SpaceTable;
  users: UserTable;
  roles: RoleTable;
  domains: DomainTable;
  domain_shares: DomainShareTable;
  routes: RouteTable;
  route_shares: RouteShareTable;
  destinations: DestinationTable;
  jobs: JobTable;
  audit_events: AuditEventTable;
  feature_flags: FeatureFlagTable;
  environment_variable_groups: EnvironmentVariableGroupTable;
  stacks: StackTable;
  buildpacks: BuildpackTable;
  organization_quotas: OrganizationQuotaTable;
  security_groups: SecurityGroupTable;
  security_group_spaces: SecurityGroupSpaceTable;
} & AppTables;
