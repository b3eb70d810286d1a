import type {
  App,
  InstanceStats,
  LogEvent,
  Organization,
  Page,
  PlatformNode,
  Process,
  Route,
  Space,
} from './resources.ts';
import { accessToken, logOut } from './session.ts';

/** What the API said when it refused. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

async function call(path: string, init: RequestInit = {}): Promise<Response> {
  const token = await accessToken();
  const response = await fetch(path, {
    ...init,
    headers: {
      accept: 'application/json',
      ...(init.body ? { 'content-type': 'application/json' } : {}),
      ...(token ? { authorization: `bearer ${token}` } : {}),
    },
  });
  if (response.status === 401) logOut();
  if (!response.ok) {
    const body = await response.json().catch(() => undefined);
    const detail = body?.errors?.[0]?.detail;
    throw new ApiError(response.status, detail ?? `The platform answered ${response.status} ${response.statusText}`);
  }
  return response;
}

async function get<T>(path: string): Promise<T> {
  return (await call(path)).json();
}

async function post(path: string, body?: unknown): Promise<void> {
  await call(path, { method: 'POST', ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
}

async function list<T>(path: string): Promise<readonly T[]> {
  const joiner = path.includes('?') ? '&' : '?';
  return (await get<Page<T>>(`${path}${joiner}per_page=5000`)).resources;
}

export const api = {
  organizations: () => list<Organization>('/v3/organizations?order_by=name'),
  spaces: () => list<Space>('/v3/spaces?order_by=name'),
  apps: (space: string) => list<App>(`/v3/apps?order_by=name&space_guids=${space}`),
  app: (guid: string) => get<App>(`/v3/apps/${guid}`),
  spaceProcesses: (space: string) => list<Process>(`/v3/processes?space_guids=${space}&embed=process_instances`),
  spaceRoutes: (space: string) => list<Route>(`/v3/routes?space_guids=${space}`),
  processes: (app: string) => list<Process>(`/v3/apps/${app}/processes`),
  stats: async (process: string) =>
    (await get<{ resources: readonly InstanceStats[] }>(`/v3/processes/${process}/stats`)).resources,
  routes: (app: string) => list<Route>(`/v3/apps/${app}/routes`),
  start: (app: string) => post(`/v3/apps/${app}/actions/start`),
  stop: (app: string) => post(`/v3/apps/${app}/actions/stop`),
  restart: (app: string) => post(`/v3/apps/${app}/actions/restart`),
  scale: (process: string, change: { instances?: number; memory_in_mb?: number; disk_in_mb?: number }) =>
    post(`/v3/processes/${process}/actions/scale`, change),
  nodes: async () => (await get<{ resources: readonly PlatformNode[] }>('/stackato/v1/nodes')).resources,
};

/** Follows an app's log until the signal fires: the most recent lines first, then each as it comes. */
export async function followLog(
  app: string,
  recent: number,
  onLines: (lines: readonly LogEvent[]) => void,
  signal: AbortSignal,
): Promise<void> {
  const response = await call(`/stackato/v1/stream/${app}?recent=${recent}`, { signal });
  if (!response.body) return;
  let rest = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + chunk).split('\n');
    rest = parts.pop() ?? '';
    const lines = parts.filter((part) => part !== '').map((part) => JSON.parse(part) as LogEvent);
    if (lines.length > 0) onLines(lines);
  }
}
