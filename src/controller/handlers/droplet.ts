import type { Readable } from 'node:stream';
import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { authorize } from '../api/authorization.ts';
import type { Controller } from '../api/controller.ts';
import { listed } from '../api/list.ts';
import { MetadataPatch, metadataColumns } from '../api/metadata.ts';
import { ToOne } from '../api/relationship.ts';
import { accepted, created, ok } from '../api/reply.ts';
import { type ApiRequest, type Route, route } from '../api/route.ts';
import { uploadLimit } from '../api/upload-limit.ts';
import { recordAppEvent } from '../app-event.ts';
import { sayToApp } from '../app-log.ts';
import { checkDropletContent } from '../droplet-content.ts';
import { presentDroplet } from '../present/droplet.ts';
import { getApp } from '../store/app.ts';
import {
  type DropletFilter,
  deleteDroplet,
  getDroplet,
  insertDroplet,
  listDroplets,
  listDropletsInUse,
  updateDroplet,
} from '../store/droplet.ts';
import { startJob } from '../store/job.ts';

const filters = [
  'states',
  'app_guids',
  'space_guids',
  'organization_guids',
  'versions',
] as const satisfies DropletFilter[];
const list = { order: ['created_at', 'updated_at'], isLabelled: true } as const;

/** Droplets: what instances run. */
export const dropletRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/droplets',
    summary: 'List droplets',
    permission: { kind: 'authenticated' },
    query: { params: filters, list },
    handler: (request) => answerList(request),
  }),
  route({
    method: 'GET',
    path: '/v3/apps/:guid/droplets',
    summary: 'List the droplets of an app',
    permission: { kind: 'resource', of: 'app', may: 'space.read' },
    query: { params: filters, list },
    handler: (request) => answerList(request, request.params.guid),
  }),
  route({
    method: 'GET',
    path: '/v3/droplets/:guid',
    summary: 'Get a droplet',
    permission: { kind: 'resource', of: 'droplet', may: 'space.read' },
    handler: async (request) => {
      const { controller, params, baseUrl } = request;
      const row = await getDroplet(controller.db, params.guid);
      return ok(presentDroplet(row, baseUrl, await canSeeSecrets(request, row.app_guid)));
    },
  }),
  route({
    method: 'POST',
    path: '/v3/droplets',
    summary: 'Create a droplet to upload, or copy one with source_guid',
    permission: {
      kind: 'related',
      of: 'app',
      at: 'relationships.app',
      may: 'space.develop',
      invalid: 'App is invalid. Ensure it exists and you have access to it.',
    },
    query: { params: ['source_guid'] },
    body: Type.Object({
      relationships: Type.Object({ app: ToOne }),
      process_types: Type.Optional(Type.Record(Type.String(), Type.String())),
      metadata: Type.Optional(MetadataPatch),
    }),
    handler: async (request) => {
      const { controller, caller, body, query, baseUrl } = request;
      const app = await getApp(controller.db, body.relationships.app.data.guid);
      const [source] = query.values('source_guid') ?? [];
      const guid = controller.random.guid();
      const copied = source === undefined ? undefined : await copySource(request, source, guid);
      const row = await controller.db.transaction().execute(async (tx) => {
        const data = { droplet_guid: guid };
        await recordAppEvent(tx, { controller, actor: caller.actor }, { app, type: 'droplet.create', data });
        return insertDroplet(tx, {
          guid,
          app_guid: app.guid,
          package_guid: null,
          state: 'AWAITING_UPLOAD',
          stack: app.stack,
          process_types: JSON.stringify(body.process_types ?? {}),
          ...metadataColumns(body.metadata),
          ...copied,
        });
      });
      sayToApp(controller, app, { text: `Creating droplet for app with guid ${app.guid}` });
      return created(presentDroplet(row, baseUrl, true));
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/droplets/:guid',
    summary: 'Label a droplet',
    permission: { kind: 'resource', of: 'droplet', may: 'space.develop' },
    body: Type.Object({ metadata: Type.Optional(MetadataPatch) }),
    handler: async ({ controller, params, body, baseUrl }) => {
      const now = await getDroplet(controller.db, params.guid);
      const row = await updateDroplet(controller.db, now.guid, metadataColumns(body.metadata, now));
      return ok(presentDroplet(row, baseUrl, true));
    },
  }),
  route({
    method: 'POST',
    path: '/v3/droplets/:guid/upload',
    summary: 'Upload the content of a droplet, a tar.gz',
    permission: { kind: 'resource', of: 'droplet', may: 'space.develop' },
    bodyKind: 'stream',
    handler: async (request) => {
      const { controller, caller, params, raw, baseUrl } = request;
      const now = await getDroplet(controller.db, params.guid);
      if (now.state !== 'AWAITING_UPLOAD') {
        throw new PlatformError(
          'UnprocessableEntity',
          'Droplet may be uploaded only once. Create a new droplet to upload bits.',
        );
      }
      const part = raw.isMultipart() ? await raw.file(uploadLimit(controller)) : undefined;
      if (!part) throw new PlatformError('UnprocessableEntity', 'Upload must be multipart with a part named bits');
      const blob = await controller.blobs.put(`droplets/${now.guid}`, part.file);
      if (part.file.truncated) {
        await controller.blobs.delete(`droplets/${now.guid}`);
        throw new PlatformError(
          'UploadTooLarge',
          `Droplet may not be larger than ${controller.config.controller.maxUploadMb} MB`,
        );
      }
      await checkStored(controller, `droplets/${now.guid}`);
      const guid = controller.random.guid();
      const row = await controller.db.transaction().execute(async (tx) => {
        const app = await getApp(tx, now.app_guid);
        const data = { droplet_guid: now.guid };
        await recordAppEvent(tx, { controller, actor: caller.actor }, { app, type: 'droplet.upload', data });
        await startJob(tx, { guid, operation: 'droplet.upload', resource: { type: 'droplets', guid: now.guid } });
        const { bytes, sha1, sha256 } = blob;
        return updateDroplet(tx, now.guid, { state: 'STAGED', bytes, sha1, sha256 });
      });
      return accepted(request, guid, presentDroplet(row, baseUrl, true));
    },
  }),
  route({
    method: 'GET',
    path: '/v3/droplets/:guid/download',
    summary: 'Download a droplet',
    permission: { kind: 'resource', of: 'droplet', may: 'space.read-secrets' },
    handler: async ({ controller, params }) => {
      const row = await getDroplet(controller.db, params.guid);
      const content = row.state === 'STAGED' ? await controller.blobs.get(`droplets/${row.guid}`) : undefined;
      if (!content) throw new PlatformError('UnprocessableEntity', 'Only staged droplets can be downloaded.');
      const headers = { 'content-disposition': `attachment; filename="${row.guid}.tgz"` };
      return { status: 200, body: content, contentType: 'application/gzip', headers };
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/droplets/:guid',
    summary: 'Delete a droplet that no app uses',
    permission: { kind: 'resource', of: 'droplet', may: 'space.develop' },
    handler: async (request) => {
      const { controller, caller, params } = request;
      const guid = controller.random.guid();
      await controller.db.transaction().execute(async (tx) => {
        const row = await getDroplet(tx, params.guid);
        const inUse = await listDropletsInUse(tx, row.app_guid);
        if (inUse.has(row.guid)) {
          throw new PlatformError('UnprocessableEntity', 'The droplet is in use; assign another one to the app first.');
        }
        const app = await getApp(tx, row.app_guid);
        const data = { droplet_guid: row.guid };
        await recordAppEvent(tx, { controller, actor: caller.actor }, { app, type: 'droplet.delete', data });
        await deleteDroplet(tx, row.guid);
        await startJob(tx, { guid, operation: 'droplet.delete', payload: { blobs: [`droplets/${row.guid}`] } });
      });
      return accepted(request, guid);
    },
  }),
];

async function answerList(request: ApiRequest<string, DropletFilter>, appGuid?: string) {
  const { controller, caller, query, baseUrl } = request;
  const page = await listDroplets(controller.db, caller, appGuid === undefined ? { query } : { query, appGuid });
  return listed(request, page, { present: (row) => presentDroplet(row, baseUrl, false) });
}

async function checkStored({ blobs }: Controller, key: string): Promise<void> {
  const content = await blobs.get(key);
  if (!content) throw new Error(`${key} is gone right after its upload`);
  try {
    await checkDropletContent(content);
  } catch (error) {
    await blobs.delete(key);
    throw error;
  }
}

async function canSeeSecrets({ controller, caller }: ApiRequest, appGuid: string): Promise<boolean> {
  try {
    await authorize(controller, caller, { of: 'app', guid: appGuid, may: 'space.read-secrets' });
    return true;
  } catch (error) {
    if (error instanceof PlatformError) return false;
    throw error;
  }
}

async function copySource(request: ApiRequest<string, 'source_guid'>, source: string, target: string) {
  const { controller, caller } = request;
  await authorize(controller, caller, { of: 'droplet', guid: source, may: 'space.develop' });
  const row = await getDroplet(controller.db, source);
  const content: Readable | undefined =
    row.state === 'STAGED' ? await controller.blobs.get(`droplets/${source}`) : undefined;
  if (!content) throw new PlatformError('UnprocessableEntity', 'source droplet is not staged');
  const { bytes, sha1, sha256 } = await controller.blobs.put(`droplets/${target}`, content);
  return {
    state: 'STAGED' as const,
    ...{ bytes, sha1, sha256 },
    stack: row.stack,
    process_types: JSON.stringify(row.process_types),
    buildpacks: JSON.stringify(row.buildpacks),
  };
}
