/** The parts of the API's resources that the console shows. */
export type Page<T> = {
  readonly pagination: { readonly total_results: number; readonly next: { readonly href: string } | null };
  readonly resources: readonly T[];
};

export type Organization = { readonly guid: string; readonly name: string };

export type Space = {
  readonly guid: string;
  readonly name: string;
  readonly relationships: { readonly organization: { readonly data: { readonly guid: string } } };
};

export type App = {
  readonly guid: string;
  readonly name: string;
  readonly state: 'STARTED' | 'STOPPED';
  readonly created_at: string;
  readonly updated_at: string;
  readonly lifecycle: { readonly data: { readonly buildpacks?: readonly string[]; readonly stack?: string } };
  readonly relationships: { readonly space: { readonly data: { readonly guid: string } } };
};

export type InstanceSummary = { readonly index: number; readonly state: string; readonly since: number };

export type Process = {
  readonly guid: string;
  readonly type: string;
  readonly instances: number;
  readonly memory_in_mb: number;
  readonly disk_in_mb: number;
  readonly process_instances?: readonly InstanceSummary[];
  readonly relationships: { readonly app: { readonly data: { readonly guid: string } } };
};

export type InstanceStats = {
  readonly type: string;
  readonly index: number;
  readonly state: 'RUNNING' | 'STARTING' | 'CRASHED' | 'DOWN' | 'STOPPING';
  readonly uptime: number;
  readonly mem_quota: number | null;
  readonly disk_quota: number | null;
  readonly details: string | null;
  readonly usage: { readonly cpu?: number; readonly mem?: number; readonly disk?: number };
};

export type Route = {
  readonly guid: string;
  readonly url: string;
  readonly destinations: readonly { readonly app: { readonly guid: string } }[];
};

export type NodeProcess = {
  readonly name: string;
  readonly state: string;
  readonly pid: number;
  readonly uptime_s: number;
  readonly ready: boolean;
};

export type PlatformNode = {
  readonly node: string;
  readonly address: string;
  readonly version: string;
  readonly roles: readonly string[];
  readonly processes: readonly NodeProcess[];
};

/** One line of an app's log as the streaming endpoint sends it. */
export type LogEvent = {
  readonly timestamp: string;
  readonly source: string;
  readonly instance: string;
  readonly type: 'OUT' | 'ERR';
  readonly text: string;
};
