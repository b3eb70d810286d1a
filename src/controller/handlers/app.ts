import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { envProblem } from '../../core/env-variable.ts';
import type { Controller } from '../api/controller.ts';
import { listed } from '../api/list.ts';
import { MetadataPatch, metadataColumns } from '../api/metadata.ts';
import { ToOne } from '../api/relationship.ts';
import { accepted, created, ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { mergeEnvironment, sealEnvironment } from '../app-environment.ts';
import { recordAppEvent } from '../app-event.ts';
import { newProcess, stopApp } from '../app-life.ts';
import { sayToApp } from '../app-log.ts';
import type { AppServices } from '../app-services.ts';
import { checkBuildpacks } from '../build-choice.ts';
import { presentApp } from '../present/app.ts';
import { presentOrganization } from '../present/organization.ts';
import { presentSpace } from '../present/space.ts';
import { type AppFilter, type AppRow, getApp, insertApp, isStackKnown, listApps, updateApp } from '../store/app.ts';
import { startJob } from '../store/job.ts';
import { findOrganizations } from '../store/organization.ts';
import { insertProcess } from '../store/process.ts';
import { findSpaces } from '../store/space.ts';

const Name = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^\\u0000-\\u001f\\u007f]+$' });
export const Lifecycle = Type.Object({
  type: Type.String(),
  data: Type.Optional(
    Type.Object({
      buildpacks: Type.Optional(Type.Union([Type.Array(Type.String()), Type.Null()])),
      stack: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    }),
  ),
});

/** CRUD of apps. */
export const appRoutes = ({ changes, staging }: AppServices): readonly Route[] => [
  route({
    method: 'GET',
    path: '/v3/apps',
    summary: 'List apps',
    permission: { kind: 'authenticated' },
    query: {
      params: ['names', 'space_guids', 'organization_guids', 'stacks', 'lifecycle_type'] satisfies AppFilter[],
      list: { order: ['created_at', 'updated_at', 'name', 'state'], isLabelled: true },
      include: ['space', 'org', 'organization', 'space.organization'],
    },
    handler: async (request) => {
      const { controller, caller, query, baseUrl } = request;
      const page = await listApps(controller.db, caller, query);
      return listed(request, page, {
        present: (row) => presentApp(row, baseUrl),
        included: await includedOf(controller, page.rows, { names: query.include, baseUrl }),
      });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/apps/:guid',
    summary: 'Get an app',
    permission: { kind: 'resource', of: 'app', may: 'space.read' },
    query: { include: ['space', 'org', 'organization', 'space.organization'] },
    handler: async ({ controller, params, query, baseUrl }) => {
      const app = await getApp(controller.db, params.guid);
      const included = await includedOf(controller, [app], { names: query.include, baseUrl });
      return ok({ ...presentApp(app, baseUrl), ...(included ? { included } : {}) });
    },
  }),
  route({
    method: 'POST',
    path: '/v3/apps',
    summary: 'Create an app',
    permission: {
      kind: 'related',
      of: 'space',
      at: 'relationships.space',
      may: 'space.develop',
      invalid: 'Invalid space. Ensure that the space exists and you have access to it.',
    },
    body: Type.Object({
      name: Name,
      relationships: Type.Object({ space: ToOne }),
      lifecycle: Type.Optional(Lifecycle),
      environment_variables: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
      metadata: Type.Optional(MetadataPatch),
    }),
    handler: async ({ controller, caller, body, baseUrl }) => {
      const lifecycle = await lifecycleColumns(controller, body.lifecycle);
      const env = Object.fromEntries(
        Object.entries(body.environment_variables ?? {}).map(([key, value]) => [key, envText(key, value)]),
      );
      const app = await controller.db.transaction().execute(async (tx) => {
        const row = await insertApp(tx, {
          guid: controller.random.guid(),
          name: body.name,
          space_guid: body.relationships.space.data.guid,
          stack: controller.config.controller.stackDefault,
          ...lifecycle,
          env_sealed: sealEnvironment(controller.box, mergeEnvironment({}, env)),
          droplet_guid: null,
          ...metadataColumns(body.metadata),
        });
        await insertProcess(tx, newProcess(controller, { appGuid: row.guid, type: 'web', guid: row.guid }));
        await recordAppEvent(tx, { controller, actor: caller.actor }, { app: row, type: 'create' });
        return row;
      });
      sayToApp(controller, app, { text: `Created app with guid ${app.guid}` });
      return created(presentApp(app, baseUrl));
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/apps/:guid',
    summary: 'Rename or label an app, or change how it is staged',
    permission: { kind: 'resource', of: 'app', may: 'space.develop' },
    body: Type.Object({
      name: Type.Optional(Name),
      lifecycle: Type.Optional(Lifecycle),
      metadata: Type.Optional(MetadataPatch),
    }),
    handler: async ({ controller, caller, params, body, baseUrl }) => {
      const lifecycle = await lifecycleColumns(controller, body.lifecycle);
      const change = { ...(body.name === undefined ? {} : { name: body.name }), ...lifecycle };
      const app = await changes.change(params.guid, async (tx, now) => {
        const data = { request: body.name === undefined ? {} : { name: body.name } };
        await recordAppEvent(tx, { controller, actor: caller.actor }, { app: now, type: 'update', data });
        return updateApp(tx, now.guid, { ...change, ...metadataColumns(body.metadata, now) });
      });
      sayToApp(controller, app, { text: `Updated app with guid ${app.guid} (${JSON.stringify(change)})` });
      return ok(presentApp(app, baseUrl));
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/apps/:guid',
    summary: 'Delete an app with everything that belongs to it',
    permission: { kind: 'resource', of: 'app', may: 'space.develop' },
    handler: async (request) => {
      const { controller, caller, params } = request;
      const guid = controller.random.guid();
      await changes.change(params.guid, async (tx, app) => {
        await stopApp(tx, app);
        await recordAppEvent(tx, { controller, actor: caller.actor }, { app, type: 'delete-request' });
        await startJob(tx, {
          guid,
          operation: 'app.delete',
          resource: { type: 'apps', guid: app.guid },
          userGuid: caller.userGuid,
        });
      });
      await staging.cancel(params.guid, 'the app is being deleted');
      return accepted(request, guid);
    },
  }),
];

/** A variable's value as text. */
export function envText(key: string, value: unknown): string {
  const wrong = envProblem(key, String(value));
  if (wrong) throw new PlatformError('UnprocessableEntity', `Environment variables ${wrong}`);
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new PlatformError(
    'UnprocessableEntity',
    `Non-string value in environment variable for key '${key}', value '${JSON.stringify(value)}'`,
  );
}

/** Columns for a lifecycle of a body. */
export async function lifecycleColumns(
  controller: Controller,
  lifecycle: { type: string; data?: { buildpacks?: string[] | null; stack?: string | null } } | undefined,
): Promise<{ buildpacks?: string; stack?: string }> {
  if (!lifecycle) return {};
  if (lifecycle.type !== 'buildpack') {
    throw new PlatformError(
      'UnprocessableEntity',
      `Lifecycle type '${lifecycle.type}' is not supported; use 'buildpack'`,
    );
  }
  const { buildpacks, stack } = lifecycle.data ?? {};
  if (buildpacks) await checkBuildpacks(controller.db, buildpacks);
  const named = stack ?? undefined;
  if (named !== undefined && !(await isStackKnown(controller.db, named))) {
    throw new PlatformError('UnprocessableEntity', 'Stack must be an existing stack');
  }
  return {
    ...(buildpacks === undefined ? {} : { buildpacks: JSON.stringify(buildpacks ?? []) }),
    ...(named === undefined ? {} : { stack: named }),
  };
}

async function includedOf(
  controller: Controller,
  apps: readonly AppRow[],
  options: { names: readonly string[]; baseUrl: string },
): Promise<Record<string, unknown[]> | undefined> {
  const { names, baseUrl } = options;
  if (names.length === 0) return undefined;
  const spaces = await findSpaces(controller.db, [...new Set(apps.map((app) => app.space_guid))]);
  const guids = [...new Set(spaces.map((space) => space.organization_guid))];
  const organizations = names.some((name) => name !== 'space') ? await findOrganizations(controller.db, guids) : [];
  return {
    spaces: spaces.map((row) => presentSpace(row, baseUrl)),
    ...(organizations.length > 0
      ? { organizations: organizations.map((row) => presentOrganization(row, baseUrl)) }
      : {}),
  };
}
