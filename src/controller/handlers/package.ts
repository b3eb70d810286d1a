import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { authorize } from '../api/authorization.ts';
import { listed } from '../api/list.ts';
import { MetadataPatch, metadataColumns } from '../api/metadata.ts';
import { ToOne } from '../api/relationship.ts';
import { accepted, created, ok } from '../api/reply.ts';
import { type ApiRequest, type Route, route } from '../api/route.ts';
import { recordAppEvent } from '../app-event.ts';
import { sayToApp } from '../app-log.ts';
import type { AppServices } from '../app-services.ts';
import { receivePackage } from '../package-upload.ts';
import { presentDroplet } from '../present/droplet.ts';
import { presentPackage } from '../present/package.ts';
import { getApp } from '../store/app.ts';
import { type DropletFilter, listDroplets } from '../store/droplet.ts';
import { isFeatureEnabled } from '../store/feature-flag.ts';
import { startJob } from '../store/job.ts';
import {
  deletePackage,
  findPackage,
  getPackage,
  insertPackage,
  listPackages,
  type PackageFilter,
  updatePackage,
} from '../store/package.ts';

const filters = [
  'states',
  'types',
  'app_guids',
  'space_guids',
  'organization_guids',
] as const satisfies PackageFilter[];
const list = { order: ['created_at', 'updated_at'], isLabelled: true } as const;

/** Packages: the source that is staged. */
export const packageRoutes = (services: AppServices): readonly Route[] => {
  const answerList = async (request: ApiRequest<string, PackageFilter>, appGuid?: string) => {
    const { controller, caller, query, baseUrl } = request;
    const page = await listPackages(controller.db, caller, appGuid === undefined ? { query } : { query, appGuid });
    return listed(request, page, { present: (row) => presentPackage(row, baseUrl) });
  };
  return [
    route({
      method: 'GET',
      path: '/v3/packages',
      summary: 'List packages',
      permission: { kind: 'authenticated' },
      query: { params: filters, list },
      handler: (request) => answerList(request),
    }),
    route({
      method: 'GET',
      path: '/v3/apps/:guid/packages',
      summary: 'List the packages of an app',
      permission: { kind: 'resource', of: 'app', may: 'space.read' },
      query: { params: filters, list },
      handler: (request) => answerList(request, request.params.guid),
    }),
    route({
      method: 'GET',
      path: '/v3/packages/:guid',
      summary: 'Get a package',
      permission: { kind: 'resource', of: 'package', may: 'space.read' },
      handler: async ({ controller, params, baseUrl }) =>
        ok(presentPackage(await getPackage(controller.db, params.guid), baseUrl)),
    }),
    route({
      method: 'POST',
      path: '/v3/packages',
      summary: 'Create a package, or copy one with source_guid',
      permission: {
        kind: 'related',
        of: 'app',
        at: 'relationships.app',
        may: 'space.develop',
        invalid: 'App is invalid. Ensure it exists and you have access to it.',
      },
      query: { params: ['source_guid'] },
      body: Type.Object({
        type: Type.Optional(Type.String()),
        relationships: Type.Object({ app: ToOne }),
        data: Type.Optional(Type.Unknown()),
        metadata: Type.Optional(MetadataPatch),
      }),
      handler: async (request) => {
        const { controller, caller, body, query, baseUrl } = request;
        const app = await getApp(controller.db, body.relationships.app.data.guid);
        const [source] = query.values('source_guid') ?? [];
        if (source === undefined && body.type !== 'bits') {
          if (body.type !== 'docker')
            throw new PlatformError('UnprocessableEntity', "Type must be one of 'bits', 'docker'");
          throw new PlatformError('FeatureDisabled', 'Docker support has not been enabled.');
        }
        const guid = controller.random.guid();
        const copied = source === undefined ? undefined : await copySource(request, source, guid);
        const row = await controller.db.transaction().execute(async (tx) => {
          await recordAppEvent(
            tx,
            { controller, actor: caller.actor },
            { app, type: 'package.create', data: { package_guid: guid } },
          );
          return insertPackage(tx, {
            guid,
            app_guid: app.guid,
            state: 'AWAITING_UPLOAD',
            ...metadataColumns(body.metadata),
            ...(copied ? { state: 'READY', ...copied } : {}),
          });
        });
        sayToApp(controller, app, { text: `Adding app package for app with guid ${app.guid}` });
        return created(presentPackage(row, baseUrl));
      },
    }),
    route({
      method: 'PATCH',
      path: '/v3/packages/:guid',
      summary: 'Label a package',
      permission: { kind: 'resource', of: 'package', may: 'space.develop' },
      body: Type.Object({ metadata: Type.Optional(MetadataPatch) }),
      handler: async ({ controller, params, body, baseUrl }) => {
        const now = await getPackage(controller.db, params.guid);
        return ok(
          presentPackage(await updatePackage(controller.db, now.guid, metadataColumns(body.metadata, now)), baseUrl),
        );
      },
    }),
    route({
      method: 'POST',
      path: '/v3/packages/:guid/upload',
      summary: 'Upload the content of a package',
      permission: { kind: 'resource', of: 'package', may: 'space.develop' },
      bodyKind: 'stream',
      handler: async ({ controller, caller, params, raw, baseUrl }) => {
        if (!caller.isAdmin && !(await isFeatureEnabled(controller.db, 'app_bits_upload'))) {
          throw new PlatformError('FeatureDisabled', 'app_bits_upload');
        }
        const now = await getPackage(controller.db, params.guid);
        const app = await getApp(controller.db, now.app_guid);
        const row = await receivePackage(controller, services, { row: now, request: raw });
        await controller.db.transaction().execute((tx) =>
          recordAppEvent(
            tx,
            { controller, actor: caller.actor },
            {
              app,
              type: 'package.upload',
              data: { package_guid: now.guid },
            },
          ),
        );
        sayToApp(controller, app, { text: `Uploading app package for app with guid ${app.guid}` });
        return ok(presentPackage(row, baseUrl));
      },
    }),
    route({
      method: 'GET',
      path: '/v3/packages/:guid/download',
      summary: 'Download a package',
      permission: { kind: 'resource', of: 'package', may: 'space.read-secrets' },
      handler: async ({ controller, params }) => {
        const row = await getPackage(controller.db, params.guid);
        const content = row.state === 'READY' ? await controller.blobs.get(`packages/${row.guid}`) : undefined;
        if (!content) throw new PlatformError('UnprocessableEntity', 'Package has no bits to download.');
        const headers = { 'content-disposition': `attachment; filename="${row.guid}.zip"` };
        return { status: 200, body: content, contentType: 'application/zip', headers };
      },
    }),
    route({
      method: 'GET',
      path: '/v3/packages/:guid/droplets',
      summary: 'List the droplets made from a package',
      permission: { kind: 'resource', of: 'package', may: 'space.read' },
      query: {
        params: [
          'states',
          'app_guids',
          'space_guids',
          'organization_guids',
          'versions',
        ] as const satisfies DropletFilter[],
        list,
      },
      handler: async (request) => {
        const { controller, caller, query, params, baseUrl } = request;
        const page = await listDroplets(controller.db, caller, { query, packageGuid: params.guid });
        return listed(request, page, { present: (row) => presentDroplet(row, baseUrl, false) });
      },
    }),
    route({
      method: 'DELETE',
      path: '/v3/packages/:guid',
      summary: 'Delete a package',
      permission: { kind: 'resource', of: 'package', may: 'space.develop' },
      handler: async (request) => {
        const { controller, caller, params } = request;
        const guid = controller.random.guid();
        await controller.db.transaction().execute(async (tx) => {
          const row = await findPackage(tx, params.guid);
          if (!row) return;
          const app = await getApp(tx, row.app_guid);
          const data = { package_guid: row.guid };
          await recordAppEvent(tx, { controller, actor: caller.actor }, { app, type: 'package.delete', data });
          await deletePackage(tx, row.guid);
          await startJob(tx, { guid, operation: 'package.delete', payload: { blobs: [`packages/${row.guid}`] } });
        });
        return accepted(request, guid);
      },
    }),
  ];
};

async function copySource(request: ApiRequest<string, 'source_guid'>, source: string, target: string) {
  const { controller, caller } = request;
  await authorize(controller, caller, { of: 'package', guid: source, may: 'space.develop' });
  const row = await getPackage(controller.db, source);
  const content = row.state === 'READY' ? await controller.blobs.get(`packages/${source}`) : undefined;
  if (!content) throw new PlatformError('UnprocessableEntity', 'Source package is not ready; it has no bits to copy');
  const { bytes, sha256 } = await controller.blobs.put(`packages/${target}`, content);
  return { bytes, sha256 };
}
