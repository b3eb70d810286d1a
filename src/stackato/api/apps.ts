import Type from 'typebox';
import { decode } from '../../contract/decode.ts';
import { ClientError, isApiError } from '../client-error.ts';
import type { Named } from '../config-store.ts';
import { type ApiClient, filterValue, query } from './api-client.ts';
import { App, AuditEvent, Build, Buildpack, Droplet, Environment, Package, Process, Route, Stat } from './resources.ts';

const GUIDS_PER_CALL = 200;
/** The user waits for it. */
const CANCEL_MS = 5000;

export async function findApp(api: ApiClient, space: Named, name: string): Promise<App | undefined> {
  const path = `/v3/apps${query({ names: filterValue(name), space_guids: space.guid })}`;
  return (await api.list(App, path))[0];
}

/** @throws ClientError when there is no such app in the space */
export async function getApp(api: ApiClient, space: Named, name: string): Promise<App> {
  const app = await findApp(api, space, name);
  if (app) return app;
  throw new ClientError(`There is no app '${name}' in space ${space.name}`, {
    next: 'See what there is: stackato apps',
  });
}

export function listApps(api: ApiClient, space: Named): Promise<App[]> {
  return api.list(App, `/v3/apps${query({ space_guids: space.guid, order_by: 'name', per_page: 5000 })}`);
}

/** The processes of a whole space, with the states of their instances. */
export function listSpaceProcesses(api: ApiClient, space: Named): Promise<Process[]> {
  return api.list(
    Process,
    `/v3/processes${query({ space_guids: space.guid, embed: 'process_instances', per_page: 5000 })}`,
  );
}

export async function listRoutesOf(api: ApiClient, appGuids: readonly string[]): Promise<Route[]> {
  const found: Route[] = [];
  for (let at = 0; at < appGuids.length; at += GUIDS_PER_CALL) {
    const guids = appGuids.slice(at, at + GUIDS_PER_CALL).join(',');
    found.push(...(await api.list(Route, `/v3/routes${query({ app_guids: guids, per_page: 5000 })}`)));
  }
  return found;
}

export function listProcesses(api: ApiClient, app: App): Promise<Process[]> {
  return api.list(Process, `/v3/apps/${app.guid}/processes`);
}

/** One process with its command, which lists hide. */
export function getProcess(api: ApiClient, guid: string): Promise<Process> {
  return api.get(Process, `/v3/processes/${guid}`);
}

export async function listStats(api: ApiClient, processGuid: string): Promise<Stat[]> {
  return (await api.get(Type.Object({ resources: Type.Array(Stat) }), `/v3/processes/${processGuid}/stats`)).resources;
}

export function listAppRoutes(api: ApiClient, app: App): Promise<Route[]> {
  return api.list(Route, `/v3/apps/${app.guid}/routes`);
}

/** The app's droplet, or undefined when it was never staged. */
export async function findCurrentDroplet(api: ApiClient, app: App) {
  try {
    return await api.get(Droplet, `/v3/apps/${app.guid}/droplets/current`);
  } catch (error) {
    if (isApiError(error, { status: 404 })) return undefined;
    throw error;
  }
}

export async function setCurrentDroplet(api: ApiClient, app: App, dropletGuid: string): Promise<void> {
  await api.send('PATCH', `/v3/apps/${app.guid}/relationships/current_droplet`, { data: { guid: dropletGuid } });
}

export async function actOnApp(api: ApiClient, app: App, action: 'start' | 'stop' | 'restart'): Promise<void> {
  await api.send('POST', `/v3/apps/${app.guid}/actions/${action}`, undefined, { isRepeatable: true });
}

export async function scaleProcess(
  api: ApiClient,
  app: App,
  request: { type: string; instances?: number; memory_in_mb?: number; disk_in_mb?: number },
): Promise<void> {
  const { type, ...change } = request;
  await api.send('POST', `/v3/apps/${app.guid}/processes/${encodeURIComponent(type)}/actions/scale`, change, {
    isRepeatable: true,
  });
}

export function getEnvironment(api: ApiClient, app: App) {
  return api.get(Environment, `/v3/apps/${app.guid}/env`);
}

/** Sets variables; null removes one. */
export async function setVariables(
  api: ApiClient,
  app: App,
  variables: Readonly<Record<string, string | null>>,
): Promise<void> {
  await api.send('PATCH', `/v3/apps/${app.guid}/environment_variables`, { var: variables });
}

export async function findStagingBuild(api: ApiClient, app: App): Promise<Build | undefined> {
  return (await api.list(Build, `/v3/builds${query({ app_guids: app.guid, states: 'STAGING' })}`))[0];
}

/** The builds of a package, newest first. */
export function listBuildsOf(api: ApiClient, packageGuid: string): Promise<Build[]> {
  const path = `/v3/builds${query({ package_guids: packageGuid, order_by: '-created_at', per_page: 5, page: 1 })}`;
  return api.list(Build, path);
}

/** Has the platform give up builds of a package that are under way, also after this command was interrupted. */
export async function cancelBuilds(api: ApiClient, packageGuid: string): Promise<void> {
  const signal = AbortSignal.timeout(CANCEL_MS);
  const path = `/v3/builds${query({ package_guids: packageGuid, states: 'STAGING' })}`;
  const { text } = await api.authorized({ url: `${api.target}${path}`, signal });
  const { resources } = decode(Type.Object({ resources: Type.Array(Build) }), JSON.parse(text), 'the list of builds');
  for (const { guid } of resources) {
    await api.sendRaw({ method: 'POST', url: `${api.target}/stackato/v1/builds/${guid}/cancel`, signal });
  }
}

export async function findLatestPackage(api: ApiClient, app: App) {
  const path = `/v3/packages${query({ app_guids: app.guid, states: 'READY', order_by: '-created_at', per_page: 1, page: 1 })}`;
  return (await api.list(Package, path))[0];
}

export async function listBuildpacks(api: ApiClient): Promise<string[]> {
  const found = await api.list(Buildpack, '/v3/buildpacks');
  return found.filter(({ enabled }) => enabled).map(({ name }) => name);
}

export function listEvents(api: ApiClient, app: App, count: number) {
  const path = `/v3/audit_events${query({ target_guids: app.guid, order_by: '-created_at', per_page: count, page: 1 })}`;
  return api.get(Type.Object({ resources: Type.Array(AuditEvent) }), path);
}
