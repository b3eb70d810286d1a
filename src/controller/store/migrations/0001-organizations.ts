import { sql } from 'kysely';
import type { Migration } from '../../../platform/db.ts';

const resource = `
  id bigint generated always as identity primary key,
  guid text not null unique,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()`;
const labelled = `
  labels jsonb not null default '{}',
  annotations jsonb not null default '{}'`;

const tables = `
create table organization_quotas (${resource},
  name text not null,
  total_memory_in_mb integer, per_process_memory_in_mb integer, total_instances integer, per_app_tasks integer,
  log_rate_limit_in_bytes_per_second bigint, paid_services_allowed boolean not null default true,
  total_service_instances integer, total_service_keys integer, total_routes integer, total_reserved_ports integer,
  total_domains integer);
create unique index organization_quotas_name on organization_quotas (lower(name));

create table organizations (${resource}, ${labelled},
  name text not null,
  suspended boolean not null default false,
  quota_guid text not null references organization_quotas (guid));
create unique index organizations_name on organizations (lower(name));

create table spaces (${resource}, ${labelled},
  name text not null,
  organization_guid text not null references organizations (guid),
  ssh_enabled boolean not null default true);
create unique index spaces_name on spaces (organization_guid, lower(name));

create table users (${resource}, ${labelled}, username text, origin text);
create index users_username on users (lower(username));

create table roles (${resource},
  type text not null,
  user_guid text not null references users (guid) on delete cascade,
  organization_guid text not null references organizations (guid) on delete cascade,
  space_guid text references spaces (guid) on delete cascade);
create unique index roles_once on roles (user_guid, organization_guid, space_guid, type) nulls not distinct;
create index roles_space on roles (space_guid);
create index roles_organization on roles (organization_guid);

create table domains (${resource}, ${labelled},
  name text not null,
  internal boolean not null default false,
  organization_guid text references organizations (guid));
create unique index domains_name on domains (lower(name));
create index domains_organization on domains (organization_guid);

create table domain_shares (
  domain_guid text not null references domains (guid) on delete cascade,
  organization_guid text not null references organizations (guid) on delete cascade,
  primary key (domain_guid, organization_guid));
create index domain_shares_organization on domain_shares (organization_guid);

create table routes (${resource}, ${labelled},
  host text not null, path text not null, port integer,
  domain_guid text not null references domains (guid),
  space_guid text not null references spaces (guid),
  options jsonb not null default '{}');
create unique index routes_address on routes (domain_guid, host, path, port) nulls not distinct;
create index routes_space on routes (space_guid);

create table route_shares (
  route_guid text not null references routes (guid) on delete cascade,
  space_guid text not null references spaces (guid) on delete cascade,
  primary key (route_guid, space_guid));
create index route_shares_space on route_shares (space_guid);

create table destinations (${resource},
  route_guid text not null references routes (guid) on delete cascade,
  app_guid text not null,
  process_type text not null default 'web',
  port integer,
  protocol text not null default 'http1');
create unique index destinations_once on destinations (route_guid, app_guid, process_type, port) nulls not distinct;
create index destinations_app on destinations (app_guid);

create table jobs (${resource},
  operation text not null,
  state text not null default 'PROCESSING',
  errors jsonb not null default '[]', warnings jsonb not null default '[]',
  resource_type text, resource_guid text, user_guid text,
  payload jsonb not null default 'null',
  run_at timestamptz not null default now(),
  lease_until timestamptz,
  attempts integer not null default 0);
create index jobs_open on jobs (run_at) where state in ('PROCESSING', 'POLLING');
create index jobs_finished on jobs (updated_at) where state in ('COMPLETE', 'FAILED');

create table audit_events (
  id bigint generated always as identity primary key,
  guid text not null unique,
  created_at timestamptz not null default now(),
  type text not null,
  actor_guid text not null, actor_type text not null, actor_name text not null,
  target_guid text not null, target_type text not null, target_name text not null,
  space_guid text, organization_guid text,
  data jsonb not null default '{}');
create index audit_events_created on audit_events (created_at, id);
create index audit_events_target on audit_events (target_guid, created_at);
create index audit_events_space on audit_events (space_guid, created_at);
create index audit_events_organization on audit_events (organization_guid, created_at);

create table feature_flags (name text primary key, enabled boolean not null, custom_error_message text,
  updated_at timestamptz not null default now());
create table environment_variable_groups (name text primary key, sealed text not null,
  updated_at timestamptz not null default now());

create table stacks (${resource}, ${labelled},
  name text not null, description text not null default '',
  state text not null default 'ACTIVE', state_reason text,
  is_default boolean not null default false);
create unique index stacks_name on stacks (lower(name));

create table buildpacks (${resource}, ${labelled},
  name text not null, stack text, position integer not null,
  enabled boolean not null default true, locked boolean not null default false,
  lifecycle text not null default 'buildpack',
  state text not null default 'AWAITING_UPLOAD',
  filename text, sha256 text,
  is_built_in boolean not null default false);
create unique index buildpacks_name on buildpacks (name, stack, lifecycle) nulls not distinct;

create table security_groups (${resource},
  name text not null, rules jsonb not null default '[]',
  running_default boolean not null default false, staging_default boolean not null default false);
create unique index security_groups_name on security_groups (lower(name));

create table security_group_spaces (
  security_group_guid text not null references security_groups (guid) on delete cascade,
  space_guid text not null references spaces (guid) on delete cascade,
  lifecycle text not null,
  primary key (security_group_guid, space_guid, lifecycle));
create index security_group_spaces_space on security_group_spaces (space_guid);

create index organizations_created on organizations (created_at, id);
create index spaces_created on spaces (created_at, id);
create index routes_created on routes (created_at, id);
create index organizations_labels on organizations using gin (labels);
create index spaces_labels on spaces using gin (labels);
create index routes_labels on routes using gin (labels);
`;

/** Organizations, spaces, users, roles, domains, routes, jobs, events and the platform's own lists. */
export const organizationTables: Migration = {
  name: '0001-organizations',
  up: async (tx) => {
    for (const statement of tables.split(';')) {
      if (statement.trim()) await sql.raw(statement).execute(tx);
    }
  },
};
