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
create table apps (${resource}, ${labelled},
  name text not null,
  space_guid text not null references spaces (guid),
  state text not null default 'STOPPED',
  buildpacks jsonb not null default '[]',
  stack text not null,
  env_sealed text,
  droplet_guid text,
  features jsonb not null default '{}');
create unique index apps_name on apps (space_guid, lower(name));
create index apps_created on apps (created_at, id);
create index apps_labels on apps using gin (labels);

create table processes (${resource}, ${labelled},
  app_guid text not null references apps (guid) on delete cascade,
  type text not null,
  command text,
  instances integer not null,
  memory_in_mb integer not null,
  disk_in_mb integer not null,
  log_rate_limit_in_bytes_per_second bigint not null,
  health_type text not null,
  health_timeout integer, health_invocation_timeout integer, health_interval integer, health_endpoint text,
  readiness_type text not null default 'process',
  readiness_invocation_timeout integer, readiness_interval integer, readiness_endpoint text,
  user_name text,
  version text not null,
  droplet_guid text,
  revision_guid text);
create index processes_app on processes (app_guid, type);
create index processes_created on processes (created_at, id);

create table packages (${resource}, ${labelled},
  app_guid text not null references apps (guid) on delete cascade,
  state text not null,
  sha256 text, bytes bigint, error text);
create index packages_app on packages (app_guid, created_at);
create index packages_created on packages (created_at, id);

create table builds (${resource}, ${labelled},
  app_guid text not null references apps (guid) on delete cascade,
  package_guid text not null,
  droplet_guid text,
  state text not null,
  error text,
  buildpacks jsonb not null default '[]',
  stack text not null,
  memory_in_mb integer not null,
  disk_in_mb integer not null,
  log_rate_limit_bytes_s bigint not null default -1,
  timeout_s integer not null,
  stager text,
  created_by_guid text not null, created_by_name text, created_by_email text);
create unique index builds_one_staging on builds (app_guid) where state = 'STAGING';
create index builds_app on builds (app_guid, created_at);
create index builds_created on builds (created_at, id);

create table droplets (${resource}, ${labelled},
  app_guid text not null references apps (guid) on delete cascade,
  package_guid text,
  state text not null,
  error text,
  process_types jsonb not null default '{}',
  buildpacks jsonb not null default '[]',
  stack text not null,
  sha256 text, sha1 text, bytes bigint);
create index droplets_app on droplets (app_guid, created_at);
create index droplets_package on droplets (package_guid);
create index droplets_created on droplets (created_at, id);

create table deployments (${resource}, ${labelled},
  app_guid text not null references apps (guid) on delete cascade,
  strategy text not null,
  status_value text not null,
  status_reason text not null,
  status_changed_at timestamptz not null default now(),
  last_healthy_at timestamptz not null default now(),
  max_in_flight integer not null default 1,
  droplet_guid text not null,
  previous_droplet_guid text,
  old_process_guid text not null,
  new_process_guid text not null,
  instances integer not null);
create unique index deployments_one_active on deployments (app_guid) where status_value = 'ACTIVE';
create index deployments_created on deployments (created_at, id);

create table revisions (${resource}, ${labelled},
  app_guid text not null references apps (guid) on delete cascade,
  version integer not null,
  droplet_guid text not null,
  env_sealed text,
  commands jsonb not null default '{}',
  description text not null);
create unique index revisions_version on revisions (app_guid, version);

create table resources (sha1 text primary key, bytes bigint not null, used_at timestamptz not null default now());
`;

/** Apps, their processes, packages, builds, droplets, deployments and revisions, and the cache of their files. */
export const appTables: Migration = {
  name: '0002-apps',
  up: async (tx) => {
    for (const statement of tables.split(';')) {
      if (statement.trim()) await sql.raw(statement).execute(tx);
    }
  },
};
