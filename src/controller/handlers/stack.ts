import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { listed } from '../api/list.ts';
import { MetadataPatch, metadataColumns, presentMetadata } from '../api/metadata.ts';
import { created, noContent, ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { presentResource } from '../api/timestamp.ts';
import { deleteStack, getStack, insertStack, listStacks, type StackRow, updateStack } from '../store/stack.ts';

const State = Type.Enum(['ACTIVE', 'RESTRICTED', 'DEPRECATED', 'DISABLED']);
const Reason = Type.Union([Type.String({ maxLength: 5000 }), Type.Null()]);

/** Root file systems that apps are built on. */
export const stackRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/stacks',
    summary: 'List stacks',
    permission: { kind: 'authenticated' },
    query: { params: ['names', 'default'], list: { order: ['created_at', 'updated_at', 'name'], isLabelled: true } },
    handler: async (request) => {
      const page = await listStacks(request.controller.db, request.query);
      return listed(request, page, { present: (row) => presentStack(row, request.baseUrl) });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/stacks/:guid',
    summary: 'Get a stack',
    permission: { kind: 'authenticated' },
    handler: async ({ controller, params, baseUrl }) =>
      ok(presentStack(await getStack(controller.db, params.guid), baseUrl)),
  }),
  route({
    method: 'POST',
    path: '/v3/stacks',
    summary: 'Make a stack known',
    permission: { kind: 'admin' },
    body: Type.Object(
      {
        name: Type.String({ minLength: 1, maxLength: 250, pattern: '^[\\w.-]+$' }),
        description: Type.Optional(Type.Union([Type.String({ maxLength: 250 }), Type.Null()])),
        metadata: Type.Optional(MetadataPatch),
      },
      { additionalProperties: false },
    ),
    handler: async ({ controller, body, baseUrl }) => {
      const row = await insertStack(controller.db, {
        guid: controller.random.guid(),
        name: body.name,
        description: body.description ?? '',
        ...metadataColumns(body.metadata),
      });
      return created(presentStack(row, baseUrl));
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/stacks/:guid',
    summary: "Change a stack's state or labels",
    permission: { kind: 'admin' },
    body: Type.Object(
      {
        state: Type.Optional(State),
        state_reason: Type.Optional(Reason),
        metadata: Type.Optional(MetadataPatch),
      },
      { additionalProperties: false },
    ),
    handler: async ({ controller, params, body, baseUrl }) => {
      const { metadata, ...change } = body;
      const now = await getStack(controller.db, params.guid);
      const row = await updateStack(controller.db, now.guid, { ...change, ...metadataColumns(metadata, now) });
      return ok(presentStack(row, baseUrl));
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/stacks/:guid',
    summary: 'Forget a stack',
    permission: { kind: 'admin' },
    handler: async ({ controller, params }) => {
      const row = await getStack(controller.db, params.guid);
      if (row.is_default) throw new PlatformError('UnprocessableEntity', 'The default stack cannot be deleted.');
      await controller.db.transaction().execute((tx) => deleteStack(tx, row));
      return noContent();
    },
  }),
];

function presentStack(row: StackRow, baseUrl: string) {
  return {
    ...presentResource(row),
    name: row.name,
    description: row.description,
    state: row.state,
    state_reason: row.state_reason,
    build_rootfs_image: row.name,
    run_rootfs_image: row.name,
    default: row.is_default,
    ...presentMetadata(row),
    links: { self: { href: `${baseUrl}/v3/stacks/${row.guid}` } },
  };
}
