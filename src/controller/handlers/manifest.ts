import Type from 'typebox';
import { isAlias, isNode, parseDocument, stringify, visit } from 'yaml';
import { errorTable, PlatformError } from '../../contract/errors.ts';
import { checkManifest, type ManifestApp } from '../../core/manifest.ts';
import { diffApplication } from '../../core/manifest-diff.ts';
import { accepted, created } from '../api/reply.ts';
import { type ApiRequest, type Route, route } from '../api/route.ts';
import { recordAppEvent } from '../app-event.ts';
import { newProcess } from '../app-life.ts';
import { sayToApp } from '../app-log.ts';
import type { AppServices } from '../app-services.ts';
import { applyManifestApp } from '../manifest-apply.ts';
import { appAsManifest, flatManifest } from '../manifest-present.ts';
import { type AppRow, findAppsByName, getApp, insertApp } from '../store/app.ts';
import { finishJob, startJob } from '../store/job.ts';
import { insertProcess } from '../store/process.ts';

/** Manifests: apply, compare, and write. */
export const manifestRoutes = (services: AppServices): readonly Route[] => [
  route({
    method: 'POST',
    path: '/v3/spaces/:guid/actions/apply_manifest',
    summary: 'Create and change the apps of a space as a manifest says',
    permission: { kind: 'resource', of: 'space', may: 'space.develop' },
    body: Type.String(),
    bodyKind: 'text',
    handler: async (request) => {
      const { controller, params, caller } = request;
      const manifests = checked(parseManifest(request));
      const apps = await createMissing(request, params.guid, manifests);
      const errors: PlatformError[] = [];
      for (const manifest of manifests) {
        const app = apps.find(({ name }) => name.toLowerCase() === manifest.name.toLowerCase());
        const failed = app && (await applyOne(services, request, { app, manifest }));
        if (failed) errors.push(failed);
      }
      const guid = controller.random.guid();
      await controller.db.transaction().execute(async (tx) => {
        const resource = { type: 'spaces', guid: params.guid };
        await startJob(tx, { guid, operation: 'space.apply_manifest', resource, userGuid: caller.userGuid });
        await finishJob(tx, { guid, claims: 0 }, { errors: errors.map(asJobMessage), warnings: [] });
      });
      return accepted(request, guid);
    },
  }),
  route({
    method: 'POST',
    path: '/v3/spaces/:guid/manifest_diff',
    summary: 'Get what applying a manifest would change',
    permission: { kind: 'resource', of: 'space', may: 'space.read' },
    body: Type.String(),
    bodyKind: 'text',
    handler: async (request) => {
      const { controller, params } = request;
      const manifest = parseManifest(request);
      const names = checked(manifest).map(({ name }) => name);
      const existing = await findAppsByName(controller.db, params.guid, names);
      const wanted = (manifest as { applications: Record<string, unknown>[] }).applications;
      const diff = [];
      for (const [index, name] of names.entries()) {
        const app = existing.find((one) => one.name.toLowerCase() === name.toLowerCase());
        const now = app && flatManifest(await appAsManifest(controller, app));
        diff.push(...diffApplication(now, wanted[index] ?? {}, index));
      }
      return created({ diff });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/apps/:guid/manifest',
    summary: 'Get an app as a manifest',
    permission: { kind: 'resource', of: 'app', may: 'space.read-environment' },
    handler: async ({ controller, params }) => {
      const app = await getApp(controller.db, params.guid);
      const body = stringify({ applications: [await appAsManifest(controller, app)] });
      return { status: 200, body, contentType: 'application/x-yaml' };
    },
  }),
];

/** @throws PlatformError 400 for another content type or broken YAML */
function parseManifest({ raw, body }: Pick<ApiRequest<string, string, string>, 'raw' | 'body'>): unknown {
  const type = raw.headers['content-type'] ?? '';
  if (!/^(application|text)\/(x-)?yaml\b/i.test(type))
    throw new PlatformError('BadRequest', 'Content-Type must be yaml');
  const document = parseDocument(body, { prettyErrors: true });
  const [fault] = document.errors;
  if (fault) throw new PlatformError('MessageParseError', `invalid YAML: ${fault.message.split('\n')[0]}`);
  visit(document, (_key, node) => {
    if (isAlias(node) || (isNode(node) && 'anchor' in node && node.anchor)) {
      throw new PlatformError('BadRequest', 'Manifest does not support Anchors and Aliases');
    }
  });
  return document.toJS();
}

/** @throws PlatformError 422 with all that is wrong */
function checked(manifest: unknown): ManifestApp[] {
  const result = checkManifest(manifest);
  if ('apps' in result) return result.apps;
  const messages = [...new Set(result.problems.map(({ message }) => message))];
  throw new PlatformError('UnprocessableEntity', messages.join(', '));
}

async function createMissing(
  request: ApiRequest<string, never, string>,
  spaceGuid: string,
  manifests: readonly ManifestApp[],
): Promise<AppRow[]> {
  const { controller, caller } = request;
  const names = manifests.map(({ name }) => name);
  const createdApps: AppRow[] = [];
  const apps = await controller.db.transaction().execute(async (tx) => {
    const existing = await findAppsByName(tx, spaceGuid, names);
    for (const { name, docker, lifecycle } of manifests) {
      if (existing.some((app) => app.name.toLowerCase() === name.toLowerCase())) continue;
      if (docker || (lifecycle && lifecycle !== 'buildpack')) refuseLifecycle(name, docker ? 'docker' : lifecycle);
      const guid = controller.random.guid();
      const stack = controller.config.controller.stackDefault;
      const app = await insertApp(tx, {
        guid,
        name,
        space_guid: spaceGuid,
        stack,
        env_sealed: null,
        droplet_guid: null,
      });
      await insertProcess(tx, newProcess(controller, { appGuid: guid, type: 'web', guid }));
      await recordAppEvent(tx, { controller, actor: caller.actor }, { app, type: 'create' });
      createdApps.push(app);
    }
    return [...existing, ...createdApps];
  });
  for (const app of createdApps) sayToApp(controller, app, { text: `Created app with guid ${app.guid}` });
  return apps;
}

/** Said before the app exists, so that a push that can't succeed leaves none behind. */
function refuseLifecycle(name: string, lifecycle: string | undefined): never {
  const what = lifecycle === 'docker' ? 'Docker images are' : `The ${lifecycle} lifecycle is`;
  const detail = `For application '${name}': ${what} not supported yet on this platform; push source code.`;
  throw new PlatformError('UnprocessableEntity', detail);
}

async function applyOne(
  { changes }: AppServices,
  request: ApiRequest<string, never, string>,
  { app, manifest }: { app: AppRow; manifest: ManifestApp },
): Promise<PlatformError | undefined> {
  const { controller, caller, scope } = request;
  const context = { controller, caller, organizationGuid: scope.organizationGuid ?? '' };
  try {
    await changes.change(app.guid, async (tx, now) => {
      await applyManifestApp(context, tx, { app: now, manifest });
      await recordAppEvent(tx, { controller, actor: caller.actor }, { app: now, type: 'apply_manifest' });
    });
  } catch (error) {
    if (!(error instanceof PlatformError)) throw error;
    const detail = `For application '${app.name}': ${error.message}`;
    return new PlatformError('UnprocessableEntity', detail, { cause: error });
  }
  sayToApp(controller, app, { text: `Applied manifest to app with guid ${app.guid}` });
  return undefined;
}

function asJobMessage(error: PlatformError) {
  return { code: errorTable[error.kind].code, title: `CF-${error.kind}`, detail: error.message };
}
