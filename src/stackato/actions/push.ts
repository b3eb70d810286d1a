import { resolve } from 'node:path';
import type { AppSpec } from '../../core/client-manifest.ts';
import { type Decision, type PushFlags, type PushPlan, planPush } from '../../core/push-plan.ts';
import type { ApiClient } from '../api/api-client.ts';
import { actOnApp, findApp, getApp, listBuildpacks, setCurrentDroplet } from '../api/apps.ts';
import type { App } from '../api/resources.ts';
import { defaultDomain } from '../api/spaces.ts';
import { UnreachableError } from '../api/transport.ts';
import { ClientError, Interrupted } from '../client-error.ts';
import { type Context, enterSpace, type Scope } from '../context.ts';
import { type AppSource, readSource } from './app-source.ts';
import { waitUntilRunning } from './app-start.ts';
import { type AppSummary, showSummary, summarize } from './app-summary.ts';
import { startTail } from './log-tail.ts';
import { readManifestFile } from './manifest-file.ts';
import { refuseSecondPush, stage } from './staging.ts';
import { uploadBits } from './upload.ts';

export type PushRequest = {
  /** Which applications of the manifest, or the name of the only one. */
  readonly names: readonly string[];
  readonly flags: PushFlags;
  readonly variables: Readonly<Record<string, string>>;
  readonly doesStart: boolean;
  readonly doesTail: boolean;
  readonly isDryRun: boolean;
};
type Item = { readonly spec: AppSpec; readonly flags: PushFlags; readonly source: AppSource; readonly path: string };
type Planned = Item & { readonly plan: PushPlan };

/** While pushing: staging, the platform's word on instances, and the app's own first lines; not each request. */
const WORTH_TELLING = /^(STG|APP|CELL|HEALTH)/;

const PUSH_AGAIN = 'Run the same push again when the platform answers (`kato status` on the server); nothing is lost';

/** Pushes the apps of a folder or manifest; gives their plans when dry, else what runs then. */
export async function push(
  context: Context,
  request: PushRequest,
): Promise<readonly PushPlan[] | readonly AppSummary[]> {
  const items = await readItems(context, request);
  const scope = await enterSpace(context);
  const planned: Planned[] = [];
  const buildpacks = await listBuildpacks(scope.api);
  const substitutions = await substitutionsOf(scope);
  for (const item of items) planned.push({ ...item, plan: await planOne(scope, item, { buildpacks, substitutions }) });
  if (request.isDryRun) return planned.map(({ plan }) => plan);
  const summaries: AppSummary[] = [];
  for (const one of planned) {
    try {
      summaries.push(await pushOne(context, scope, { ...one, request }));
    } catch (error) {
      if (!(error instanceof UnreachableError)) throw error;
      throw new UnreachableError(error.message, { cause: error, details: error.details, next: PUSH_AGAIN });
    }
  }
  return summaries;
}

async function readItems(context: Context, request: PushRequest): Promise<Item[]> {
  const { settings, folder, terminal } = context;
  const here = resolve(folder, settings.path ?? '.');
  const manifest = await readManifestFile(here, settings.manifest, {
    variables: request.variables,
    inherited: context.variable,
  });
  for (const note of manifest?.notes ?? []) terminal.note(`${manifest?.path}, ${note}`);
  const chosen = chooseApps(manifest?.apps ?? [{ routes: [], ignores: [], manifest: {} }], request);
  if (manifest) terminal.say(`Using ${manifest.path}`);
  const items: Item[] = [];
  for (const { spec, name } of chosen) {
    const fromManifest = spec.path === undefined ? undefined : resolve(manifest?.folder ?? here, spec.path);
    const path =
      settings.path !== undefined && chosen.length === 1 && manifest?.folder !== here ? here : (fromManifest ?? here);
    const source = await readSource(path, spec.ignores);
    for (const note of source.notes) terminal.note(note);
    items.push({ spec, source, path, flags: name === undefined ? request.flags : { ...request.flags, name } });
  }
  return items;
}

function chooseApps(apps: readonly AppSpec[], request: PushRequest): { spec: AppSpec; name?: string }[] {
  const { names, flags } = request;
  const [only] = apps;
  if (apps.length === 1 && only) {
    const name = flags.name ?? names[0];
    if (names.length > 1) throw new ClientError('There is only one app to push', { next: 'Name one', exitCode: 2 });
    return [name === undefined ? { spec: only } : { spec: only, name }];
  }
  const wanted = names.map((name) => {
    const spec = apps.find((app) => app.name === name);
    if (spec) return { spec };
    const known = apps.map((app) => app.name ?? '(without a name)').join(', ');
    throw new ClientError(`The manifest has no app '${name}'; it has ${known}`, { exitCode: 2 });
  });
  const chosen = wanted.length > 0 ? wanted : apps.map((spec) => ({ spec }));
  const hasFlags = Object.keys(flags.manifest).length + flags.routes.length + Object.keys(flags.env).length > 0;
  if (chosen.length > 1 && (hasFlags || flags.name !== undefined)) {
    throw new ClientError('Options for one app were given, and the manifest has several', {
      next: 'Name the app: stackato push NAME …',
      exitCode: 2,
    });
  }
  return chosen;
}

async function substitutionsOf(scope: Scope): Promise<Record<string, string>> {
  const base = (await defaultDomain(scope.api, scope.organization)) ?? '';
  const word = Math.random().toString(36).slice(2, 8);
  return { 'target-base': base, 'target-url': scope.target, space: scope.space.name, 'random-word': word };
}

async function planOne(
  scope: Scope,
  item: Item,
  facts: { buildpacks: readonly string[]; substitutions: Readonly<Record<string, string>> },
): Promise<PushPlan> {
  const plan = (isNew: boolean | undefined) =>
    planPush(item.spec, item.flags, {
      detection: item.source.detection,
      isNew,
      serverBuildpacks: facts.buildpacks,
      folderName: item.source.folderName,
      substitutions: facts.substitutions,
    });
  const first = plan(undefined);
  const known = 'refusal' in first ? undefined : await findApp(scope.api, scope.space, first.name);
  const planned = plan(known === undefined);
  if (!('refusal' in planned)) return planned;
  const looked = planned.lookedFor?.map((one) => `  ${one}`) ?? [];
  throw new ClientError(`${planned.refusal}${looked.length > 0 ? ` (${item.path})` : ''}`, {
    details: looked.length > 0 ? ['Looked for:', ...looked] : [],
    next: planned.next,
  });
}

async function pushOne(context: Context, scope: Scope, one: Planned & { request: PushRequest }): Promise<AppSummary> {
  const { terminal, clock, signal } = context;
  const { api } = scope;
  const { plan, request } = one;
  const startedMs = clock.nowMs();
  showPlan(context, scope, one);
  const known = await findApp(api, scope.space, plan.name);
  if (known) await refuseSecondPush(api, known, clock);
  const { app, packageGuid } = await beforeStaging(context, scope, one);
  await using told = startTail(context, scope, app, request.doesTail ? WORTH_TELLING : /^$/);
  await told.tail.ready;
  terminal.say('Staging');
  const droplet = await stage({ api, terminal, clock, signal, ...told }, app, packageGuid);
  await setCurrentDroplet(api, app, droplet);
  if (request.doesStart) {
    terminal.say(`${terminal.paint('Staged', 'green')}; starting`);
    const sinceMs = clock.nowMs();
    await actOnApp(api, app, app.state === 'STARTED' ? 'restart' : 'start');
    await waitUntilRunning({ api, terminal, clock, signal, sinceMs, ...told }, app);
  }
  const summary = await summarize(api, await getApp(api, scope.space, plan.name));
  const seconds = ((clock.nowMs() - startedMs) / 1000).toFixed(1);
  const state = request.doesStart ? `${plan.name} is running` : `${plan.name} is staged and not started`;
  terminal.say(terminal.paint(`${state} (${seconds} s)`, 'green', 'bold'));
  if (!terminal.isJson) {
    terminal.say();
    showSummary(terminal, summary);
    terminal.say();
    for (const url of summary.urls) terminal.say(url);
  }
  return summary;
}

/** Applies the manifest and uploads the code. Interrupted here, what ran before goes on. */
async function beforeStaging(context: Context, scope: Scope, one: Planned): Promise<{ app: App; packageGuid: string }> {
  const { terminal, clock, signal } = context;
  const { api } = scope;
  try {
    await applyManifest(api, scope.space.guid, one.plan.manifest);
    const app = await getApp(api, scope.space, one.plan.name);
    const packageGuid = await uploadBits({ api, terminal, clock, signal }, app, one.source.bits);
    return { app, packageGuid };
  } catch (error) {
    if (!signal.aborted || error instanceof ClientError) throw error;
    throw new Interrupted(
      'The code was not uploaded whole; what ran before goes on running.',
      'Push again when you like',
    );
  }
}

async function applyManifest(api: ApiClient, spaceGuid: string, app: Readonly<Record<string, unknown>>): Promise<void> {
  const request = {
    method: 'POST',
    url: `${api.target}/v3/spaces/${spaceGuid}/actions/apply_manifest`,
    headers: { 'content-type': 'application/x-yaml' },
    // JSON is YAML too.
    body: JSON.stringify({ applications: [app] }),
  };
  const { job } = await api.sendRaw(request, { isRepeatable: true });
  if (job !== undefined) await api.waitForJob(job);
}

function showPlan(context: Context, scope: Scope, one: Planned): void {
  const { terminal } = context;
  const { plan } = one;
  terminal.say(
    `Pushing ${terminal.paint(plan.name, 'bold')} to ${scope.organization.name} / ${scope.space.name} at ${scope.target}`,
  );
  for (const decision of plan.decisions) terminal.say(describeDecision(decision));
}

export function describeDecision({ what, because }: Decision): string {
  return `  ${what}: ${because}`;
}
