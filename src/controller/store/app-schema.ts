import type { ColumnType, Generated } from 'kysely';
import type { Json, Labelled, Resource, Time } from './column.ts';

export type AppState = 'STOPPED' | 'STARTED';

export type AppTable = Resource &
  Labelled & {
    name: string;
    space_guid: string;
    state: Generated<AppState>;
    buildpacks: Json<string[]>;
    stack: string;
    /** The app's variables as JSON, encrypted. */
    env_sealed: string | null;
    droplet_guid: string | null;
    features: Json<Record<string, boolean>>;
  };

export type CheckType = 'port' | 'http' | 'process';

export type ProcessTable = Resource &
  Labelled & {
    app_guid: string;
    type: string;
    /** The custom command; null means the droplet's. */
    command: string | null;
    instances: number;
    memory_in_mb: number;
    disk_in_mb: number;
    log_rate_limit_in_bytes_per_second: number;
    /** Seconds; null means the default. */
    health_type: CheckType;
    health_timeout: number | null;
    health_invocation_timeout: number | null;
    health_interval: number | null;
    health_endpoint: string | null;
    readiness_type: CheckType;
    readiness_invocation_timeout: number | null;
    readiness_interval: number | null;
    readiness_endpoint: string | null;
    user_name: string | null;
    /** Changes with each start; instances of another version are stopped. */
    version: string;
    /** The droplet that this version runs. */
    droplet_guid: string | null;
    revision_guid: string | null;
  };

export type PackageState = 'AWAITING_UPLOAD' | 'PROCESSING_UPLOAD' | 'READY' | 'FAILED' | 'COPYING' | 'EXPIRED';

export type PackageTable = Resource &
  Labelled & {
    app_guid: string;
    state: PackageState;
    sha256: string | null;
    bytes: number | null;
    error: string | null;
    /** Whose upload is under way, until when. */
    upload_claim: Generated<string | null>;
    upload_until: ColumnType<Date | null, Date | null | undefined, Date | null>;
  };

export type BuildState = 'STAGING' | 'STAGED' | 'FAILED';

export type BuildTable = Resource &
  Labelled & {
    app_guid: string;
    package_guid: string;
    droplet_guid: string | null;
    state: BuildState;
    error: string | null;
    buildpacks: Json<string[]>;
    stack: string;
    memory_in_mb: number;
    disk_in_mb: number;
    log_rate_limit_bytes_s: number;
    timeout_s: number;
    /** Id of the stager that accepted it. */
    stager: string | null;
    /** When a controller last began or went on to look for a stager; null when none does. */
    offered_at: Time | null;
    /** How often its stager went. */
    interruptions: Generated<number>;
    created_by_guid: string;
    created_by_name: string | null;
    created_by_email: string | null;
  };

export type DropletState =
  | 'AWAITING_UPLOAD'
  | 'PROCESSING_UPLOAD'
  | 'STAGING'
  | 'COPYING'
  | 'STAGED'
  | 'FAILED'
  | 'EXPIRED';

/** A buildpack that took part in a droplet. */
export type UsedBuildpack = { name: string; buildpack_name: string; detect_output: string; version: string | null };

export type DropletTable = Resource &
  Labelled & {
    app_guid: string;
    package_guid: string | null;
    state: DropletState;
    error: string | null;
    process_types: Json<Record<string, string>>;
    buildpacks: Json<UsedBuildpack[]>;
    stack: string;
    sha256: string | null;
    sha1: string | null;
    bytes: number | null;
  };

export type DeploymentTable = Resource &
  Labelled & {
    app_guid: string;
    strategy: string;
    status_value: 'ACTIVE' | 'FINALIZED';
    status_reason: string;
    status_changed_at: Time;
    last_healthy_at: Time;
    max_in_flight: number;
    droplet_guid: string;
    previous_droplet_guid: string | null;
    old_process_guid: string;
    new_process_guid: string;
    /** Instances the new process ends with. */
    instances: number;
  };

export type RevisionTable = Resource &
  Labelled & {
    app_guid: string;
    version: number;
    droplet_guid: string;
    env_sealed: string | null;
    /** Custom command by process type. */
    commands: Json<Record<string, string | null>>;
    description: string;
  };

/** Files kept apart from packages, by the SHA-1 of their content. */
export type ResourceTable = { sha1: string; bytes: number; used_at: Time };

/** Blobs that go once no export holds them. */
export type BlobDeletionTable = { key: string; noted_at: Time };

/** The tables of apps and what belongs to them; part of `ControllerSchema`. */
export type AppTables = {
  apps: AppTable;
  processes: ProcessTable;
  packages: PackageTable;
  builds: BuildTable;
  droplets: DropletTable;
  deployments: DeploymentTable;
  revisions: RevisionTable;
  resources: ResourceTable;
  blob_deletions: BlobDeletionTable;
};
