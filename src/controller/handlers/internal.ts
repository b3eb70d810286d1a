import { BlobStoreFullError } from '../../blobstore/blobstore.ts';
import { decode } from '../../contract/decode.ts';
import { PlatformError } from '../../contract/errors.ts';
import { StagingResult } from '../../contract/messages/staging.ts';
import type { Controller } from '../api/controller.ts';
import { noContent, ok, type Reply } from '../api/reply.ts';
import { type ApiRequest, type Route, route } from '../api/route.ts';
import type { AppServices } from '../app-services.ts';
import { findDroplet } from '../store/droplet.ts';

const signed = { kind: 'signed' } as const;
const signedQuery = { params: ['expires', 'signature'] } as const;
const cacheKey = (app: string, stack: string) => `buildpack_cache/${app}/${stack}`;

/** What DEAs, stagers and the log cache ask of the controller, over loopback. */
export const internalRoutes = ({ staging }: AppServices): readonly Route[] => [
  route({
    method: 'GET',
    path: '/internal/v1/packages/:guid/bits',
    summary: 'Download a package (stager)',
    permission: signed,
    query: signedQuery,
    handler: ({ controller, params }) => send(controller, `packages/${params.guid}`),
  }),
  route({
    method: 'GET',
    path: '/internal/v1/droplets/:guid/bits',
    summary: 'Download a droplet (DEA)',
    permission: signed,
    query: signedQuery,
    handler: ({ controller, params }) => send(controller, `droplets/${params.guid}`),
  }),
  route({
    method: 'PUT',
    path: '/internal/v1/droplets/:guid/bits',
    summary: 'Upload a droplet (stager)',
    permission: signed,
    query: signedQuery,
    bodyKind: 'stream',
    handler: async (request) => {
      const { controller, params } = request;
      const droplet = await findDroplet(controller.db, params.guid);
      if (droplet?.state !== 'STAGING') {
        throw new PlatformError('ResourceNotFound', 'Droplet not found; its build has ended');
      }
      const { bytes, sha1, sha256 } = await receive(request, `droplets/${params.guid}`);
      return ok({ bytes, sha1, sha256 });
    },
  }),
  route({
    method: 'GET',
    path: '/internal/v1/buildpacks/:guid/bits',
    summary: 'Download a buildpack (stager)',
    permission: signed,
    query: signedQuery,
    handler: ({ controller, params }) => send(controller, `buildpacks/${params.guid}`),
  }),
  route({
    method: 'GET',
    path: '/internal/v1/buildpack_cache/:app/:stack',
    summary: "Download an app's build cache (stager)",
    permission: signed,
    query: signedQuery,
    handler: ({ controller, params }) => send(controller, cacheKey(params.app, params.stack)),
  }),
  route({
    method: 'PUT',
    path: '/internal/v1/buildpack_cache/:app/:stack',
    summary: "Upload an app's build cache (stager)",
    permission: signed,
    query: signedQuery,
    bodyKind: 'stream',
    handler: async (request) => {
      const { bytes, sha1, sha256 } = await receive(request, cacheKey(request.params.app, request.params.stack));
      return ok({ bytes, sha1, sha256 });
    },
  }),
  route({
    method: 'POST',
    path: '/internal/v1/builds/:guid/completed',
    summary: 'Take the result of a build (stager)',
    permission: signed,
    query: signedQuery,
    handler: async ({ params, body }) => {
      const result = decode(StagingResult, body, 'the result of a build');
      if (result.task_id !== params.guid) throw new PlatformError('UnprocessableEntity', 'task_id is not this build');
      await staging.complete(result);
      return noContent();
    },
  }),
  route({
    method: 'GET',
    path: '/internal/v1/apps/:guid/log_access',
    summary: "Get whether the caller may read an app's log",
    permission: { kind: 'resource', of: 'app', may: 'space.read' },
    handler: async ({ params }) => ok({ guid: params.guid }),
  }),
  route({
    method: 'GET',
    path: '/internal/v1/token',
    summary: "Get whether the caller's token is still good (logyard)",
    permission: { kind: 'authenticated' },
    handler: async ({ caller }) => ok({ user: caller.userGuid }),
  }),
];

async function send({ blobs }: Controller, key: string): Promise<Reply> {
  const info = await blobs.stat(key);
  const content = info && (await blobs.get(key));
  if (!info || !content) throw new PlatformError('ResourceNotFound', 'The content is not there');
  const headers = { 'content-length': String(info.bytes), 'x-content-sha256': info.sha256 };
  return { status: 200, body: content, contentType: 'application/octet-stream', headers };
}

async function receive({ controller, raw }: Pick<ApiRequest, 'controller' | 'raw'>, key: string) {
  try {
    return await controller.blobs.put(key, raw.raw);
  } catch (error) {
    if (!(error instanceof BlobStoreFullError)) throw error;
    throw new PlatformError('ServiceUnavailable', error.message, { cause: error });
  }
}
