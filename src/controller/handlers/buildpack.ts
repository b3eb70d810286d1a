import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { receiveBuildpack } from '../api/buildpack-upload.ts';
import type { Controller } from '../api/controller.ts';
import { listed } from '../api/list.ts';
import { MetadataPatch, metadataColumns } from '../api/metadata.ts';
import { accepted, created, ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { presentBuildpack } from '../present/buildpack.ts';
import { isStackKnown } from '../store/app.ts';
import {
  type BuildpackRow,
  deleteBuildpack,
  getBuildpack,
  insertBuildpack,
  listBuildpacks,
  moveBuildpack,
  updateBuildpack,
} from '../store/buildpack.ts';
import { startJob } from '../store/job.ts';

const Name = Type.String({ minLength: 1, maxLength: 250, pattern: '^[\\w-]+$' });
const Stack = Type.Union([Type.String({ minLength: 1, maxLength: 250 }), Type.Null()]);
const Position = Type.Integer({ minimum: 1, maximum: 100_000 });
const Common = {
  stack: Type.Optional(Stack),
  position: Type.Optional(Position),
  enabled: Type.Optional(Type.Boolean()),
  locked: Type.Optional(Type.Boolean()),
  metadata: Type.Optional(MetadataPatch),
};

/** What turns packages into droplets. */
export const buildpackRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/buildpacks',
    summary: 'List buildpacks',
    permission: { kind: 'authenticated' },
    query: {
      params: ['names', 'stacks', 'lifecycle'],
      list: { order: ['position', 'created_at', 'updated_at'], isLabelled: true },
    },
    handler: async (request) => {
      const page = await listBuildpacks(request.controller.db, request.query);
      return listed(request, page, { present: (row) => presentBuildpack(row, request.baseUrl) });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/buildpacks/:guid',
    summary: 'Get a buildpack',
    permission: { kind: 'authenticated' },
    handler: async ({ controller, params, baseUrl }) =>
      ok(presentBuildpack(await getBuildpack(controller.db, params.guid), baseUrl)),
  }),
  route({
    method: 'POST',
    path: '/v3/buildpacks',
    summary: 'Create a buildpack, to be uploaded',
    permission: { kind: 'admin' },
    body: Type.Object(
      { name: Name, lifecycle: Type.Optional(Type.Enum(['buildpack', 'cnb'])), ...Common },
      { additionalProperties: false },
    ),
    handler: async ({ controller, body, baseUrl }) => {
      const { metadata, position = 1, lifecycle = 'buildpack', ...rest } = body;
      await checkStack(controller, body.stack);
      const guid = controller.random.guid();
      const columns = { ...rest, guid, lifecycle, ...metadataColumns(metadata) };
      await controller.db.transaction().execute((tx) => insertBuildpack(tx, columns, position));
      return created(presentBuildpack(await getBuildpack(controller.db, guid), baseUrl));
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/buildpacks/:guid',
    summary: 'Change a buildpack',
    permission: { kind: 'admin' },
    body: Type.Object({ name: Type.Optional(Name), ...Common }, { additionalProperties: false }),
    handler: async ({ controller, params, body, baseUrl }) => {
      const { metadata, position, ...change } = body;
      await checkStack(controller, body.stack);
      await controller.db.transaction().execute(async (tx) => {
        const now = await getBuildpack(tx, params.guid);
        if (now.stack !== null && change.stack !== undefined && change.stack !== now.stack) {
          throw new PlatformError('UnprocessableEntity', 'Buildpack stack cannot be changed');
        }
        await updateBuildpack(tx, now, { ...change, ...metadataColumns(metadata, now) });
        if (position !== undefined) await moveBuildpack(tx, now, position);
      });
      return ok(presentBuildpack(await getBuildpack(controller.db, params.guid), baseUrl));
    },
  }),
  route({
    method: 'POST',
    path: '/v3/buildpacks/:guid/upload',
    summary: "Upload a buildpack's zip",
    permission: { kind: 'admin' },
    bodyKind: 'stream',
    handler: async (request) => {
      const { controller, params, baseUrl } = request;
      const row = await getBuildpack(controller.db, params.guid);
      refuseLocked(row);
      const job = await receiveBuildpack(controller, row, request.raw);
      return accepted(request, job, presentBuildpack(await getBuildpack(controller.db, row.guid), baseUrl));
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/buildpacks/:guid',
    summary: 'Delete a buildpack',
    permission: { kind: 'admin' },
    handler: async (request) => {
      const { controller, params, caller } = request;
      const row = await getBuildpack(controller.db, params.guid);
      refuseLocked(row);
      const job = await controller.db.transaction().execute(async (tx) => {
        await deleteBuildpack(tx, row);
        return startJob(tx, {
          guid: controller.random.guid(),
          operation: 'buildpack.delete',
          resource: { type: 'buildpacks', guid: row.guid },
          userGuid: caller.userGuid,
        });
      });
      return accepted(request, job);
    },
  }),
];

async function checkStack({ db }: Controller, stack: string | null | undefined): Promise<void> {
  if (stack === undefined || stack === null || (await isStackKnown(db, stack))) return;
  throw new PlatformError('UnprocessableEntity', `Stack '${stack}' does not exist`);
}

function refuseLocked(row: BuildpackRow): void {
  if (row.locked) throw new PlatformError('UnprocessableEntity', 'The buildpack is locked. Unlock it first.');
}
