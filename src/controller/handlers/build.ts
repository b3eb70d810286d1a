import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { listed } from '../api/list.ts';
import { MetadataPatch, metadataColumns } from '../api/metadata.ts';
import { created, ok } from '../api/reply.ts';
import { type ApiRequest, type Route, route } from '../api/route.ts';
import { recordAppEvent } from '../app-event.ts';
import { sayToApp } from '../app-log.ts';
import type { AppServices } from '../app-services.ts';
import { presentBuild } from '../present/build.ts';
import { lockApp } from '../store/app.ts';
import { type BuildFilter, getBuild, insertBuild, listBuilds, updateBuild } from '../store/build.ts';
import { insertDroplet } from '../store/droplet.ts';
import { getPackage } from '../store/package.ts';
import { getProcessOfType } from '../store/process.ts';
import { Lifecycle, lifecycleColumns } from './app.ts';

const Size = Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 2_147_483_647 }), Type.Null()]));
const filters = ['states', 'app_guids', 'package_guids'] as const satisfies BuildFilter[];
const list = { order: ['created_at', 'updated_at'], isLabelled: true } as const;

/** Builds: a package becomes a droplet. */
export const buildRoutes = ({ staging }: AppServices): readonly Route[] => {
  const answerList = async (request: ApiRequest<string, BuildFilter>, appGuid?: string) => {
    const { controller, caller, query, baseUrl } = request;
    const page = await listBuilds(controller.db, caller, appGuid === undefined ? { query } : { query, appGuid });
    return listed(request, page, { present: (row) => presentBuild(row, baseUrl) });
  };
  return [
    route({
      method: 'GET',
      path: '/v3/builds',
      summary: 'List builds',
      permission: { kind: 'authenticated' },
      query: { params: filters, list },
      handler: (request) => answerList(request),
    }),
    route({
      method: 'GET',
      path: '/v3/apps/:guid/builds',
      summary: 'List the builds of an app',
      permission: { kind: 'resource', of: 'app', may: 'space.read' },
      query: { params: filters, list },
      handler: (request) => answerList(request, request.params.guid),
    }),
    route({
      method: 'GET',
      path: '/v3/builds/:guid',
      summary: 'Get a build',
      permission: { kind: 'resource', of: 'build', may: 'space.read' },
      handler: async ({ controller, params, baseUrl }) =>
        ok(presentBuild(await getBuild(controller.db, params.guid), baseUrl)),
    }),
    route({
      method: 'POST',
      path: '/v3/builds',
      summary: 'Stage a package',
      permission: {
        kind: 'related',
        of: 'package',
        at: 'package',
        may: 'space.operate',
        invalid: 'Unable to use package. Ensure that the package exists and you have access to it.',
      },
      body: Type.Object({
        package: Type.Object({ guid: Type.String() }),
        lifecycle: Type.Optional(Type.Union([Lifecycle, Type.Null()])),
        staging_memory_in_mb: Size,
        staging_disk_in_mb: Size,
        staging_log_rate_limit_bytes_per_second: Type.Optional(
          Type.Union([Type.Integer({ minimum: -1 }), Type.Null()]),
        ),
        metadata: Type.Optional(MetadataPatch),
      }),
      handler: async ({ controller, caller, body, baseUrl }) => {
        const { random, config } = controller;
        const lifecycle = await lifecycleColumns(controller, body.lifecycle ?? undefined);
        const build = await controller.db.transaction().execute(async (tx) => {
          const source = await getPackage(tx, body.package.guid);
          const app = await lockApp(tx, source.app_guid);
          if (source.state !== 'READY') {
            throw new PlatformError('BadRequest', 'Cannot stage package whose state is not ready.');
          }
          const web = await getProcessOfType(tx, app.guid, 'web');
          const stack = lifecycle.stack ?? app.stack;
          const droplet = random.guid();
          const row = await insertBuild(tx, {
            guid: random.guid(),
            app_guid: app.guid,
            package_guid: source.guid,
            droplet_guid: droplet,
            state: 'STAGING',
            buildpacks: lifecycle.buildpacks ?? JSON.stringify(app.buildpacks),
            stack,
            memory_in_mb: body.staging_memory_in_mb ?? Math.max(config.staging.memoryMb, web.memory_in_mb),
            disk_in_mb: body.staging_disk_in_mb ?? Math.max(config.staging.diskMb, web.disk_in_mb),
            log_rate_limit_bytes_s: body.staging_log_rate_limit_bytes_per_second ?? -1,
            timeout_s: config.staging.timeoutS,
            created_by_guid: caller.userGuid,
            created_by_name: caller.userName ?? null,
            created_by_email: caller.email ?? null,
            ...metadataColumns(body.metadata),
          });
          await insertDroplet(tx, {
            guid: droplet,
            app_guid: app.guid,
            package_guid: source.guid,
            state: 'STAGING',
            stack,
          });
          const data = { build_guid: row.guid, package_guid: source.guid };
          await recordAppEvent(tx, { controller, actor: caller.actor }, { app, type: 'build.create', data });
          return { row, app };
        });
        sayToApp(controller, build.app, { text: `Creating build for app with guid ${build.app.guid}` });
        staging.begin(build.row.guid);
        return created(presentBuild(build.row, baseUrl));
      },
    }),
    route({
      method: 'PATCH',
      path: '/v3/builds/:guid',
      summary: 'Label a build',
      permission: { kind: 'resource', of: 'build', may: 'space.operate' },
      body: Type.Object({ metadata: Type.Optional(MetadataPatch) }),
      handler: async ({ controller, params, body, baseUrl }) => {
        const now = await getBuild(controller.db, params.guid);
        await updateBuild(controller.db, now.guid, metadataColumns(body.metadata, now));
        return ok(presentBuild(await getBuild(controller.db, params.guid), baseUrl));
      },
    }),
    route({
      method: 'POST',
      path: '/stackato/v1/builds/:guid/cancel',
      summary: 'Cancel a build that is being staged',
      permission: { kind: 'resource', of: 'build', may: 'space.operate' },
      handler: async ({ controller, params, baseUrl }) => {
        const build = await getBuild(controller.db, params.guid);
        await staging.cancel(build.app_guid, 'the build was cancelled', build.guid);
        return ok(presentBuild(await getBuild(controller.db, params.guid), baseUrl));
      },
    }),
  ];
};
