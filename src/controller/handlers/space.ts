import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { ListOf, listed } from '../api/list.ts';
import { MetadataPatch, metadataColumns } from '../api/metadata.ts';
import { ToOne } from '../api/relationship.ts';
import { accepted, created, ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { presentOrganization } from '../present/organization.ts';
import { presentSpace, SpaceBody } from '../present/space.ts';
import { recordEvent } from '../store/audit-event.ts';
import { startJob } from '../store/job.ts';
import { findOrganizations } from '../store/organization.ts';
import { getSpace, insertSpace, listSpaces, updateSpace } from '../store/space.ts';

const Name = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^\\u0000-\\u001f\\u007f]+$' });

/** CRUD of spaces. */
export const spaceRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/spaces',
    summary: 'List spaces',
    permission: { kind: 'authenticated' },
    query: {
      params: ['names', 'organization_guids'],
      list: { order: ['created_at', 'updated_at', 'name'], isLabelled: true },
      include: ['organization', 'org'],
    },
    responses: { 200: ListOf(SpaceBody) },
    handler: async (request) => {
      const { controller, baseUrl } = request;
      const page = await listSpaces(controller.db, request.caller, request.query);
      const isIncluded = request.query.include.length > 0;
      const guids = isIncluded ? [...new Set(page.rows.map((row) => row.organization_guid))] : [];
      const organizations = await findOrganizations(controller.db, guids);
      return listed(request, page, {
        present: (row) => presentSpace(row, baseUrl),
        included: isIncluded
          ? { organizations: organizations.map((row) => presentOrganization(row, baseUrl)) }
          : undefined,
      });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/spaces/:guid',
    summary: 'Get a space',
    permission: { kind: 'resource', of: 'space', may: 'space.read' },
    query: { include: ['organization', 'org'] },
    responses: { 200: SpaceBody },
    handler: async ({ controller, params, query, baseUrl }) => {
      const space = await getSpace(controller.db, params.guid);
      if (query.include.length === 0) return ok(presentSpace(space, baseUrl));
      const organizations = await findOrganizations(controller.db, [space.organization_guid]);
      const included = { organizations: organizations.map((row) => presentOrganization(row, baseUrl)) };
      return ok({ ...presentSpace(space, baseUrl), included });
    },
  }),
  route({
    method: 'POST',
    path: '/v3/spaces',
    summary: 'Create a space',
    permission: {
      kind: 'related',
      of: 'organization',
      at: 'relationships.organization',
      may: 'organization.manage',
      invalid: 'Invalid organization. Ensure the organization exists and you have access to it.',
    },
    body: Type.Object(
      {
        name: Name,
        relationships: Type.Object({ organization: ToOne }, { additionalProperties: false }),
        suspended: Type.Optional(Type.Boolean()),
        metadata: Type.Optional(MetadataPatch),
      },
      { additionalProperties: false },
    ),
    responses: { 201: SpaceBody },
    handler: async ({ controller, caller, body, baseUrl }) => {
      if (body.suspended)
        throw new PlatformError('UnprocessableEntity', 'Spaces cannot be suspended; suspend the organization');
      const { name } = body;
      const guid = controller.random.guid();
      const organization_guid = body.relationships.organization.data.guid;
      const row = await controller.db.transaction().execute(async (tx) => {
        const space = await insertSpace(tx, { guid, name, organization_guid, ...metadataColumns(body.metadata) });
        await recordEvent(tx, {
          guid: controller.random.guid(),
          type: 'audit.space.create',
          actor: caller.actor,
          target: { guid, type: 'space', name },
          spaceGuid: guid,
          organizationGuid: organization_guid,
          data: { request: { name } },
        });
        return space;
      });
      return created(presentSpace(row, baseUrl));
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/spaces/:guid',
    summary: 'Rename or label a space',
    permission: { kind: 'resource', of: 'space', may: 'space.manage' },
    body: Type.Object(
      { name: Type.Optional(Name), metadata: Type.Optional(MetadataPatch) },
      { additionalProperties: false },
    ),
    responses: { 200: SpaceBody },
    handler: async ({ controller, caller, params, body, baseUrl }) => {
      const { metadata, ...change } = body;
      const row = await controller.db.transaction().execute(async (tx) => {
        const now = await getSpace(tx, params.guid);
        await recordEvent(tx, {
          guid: controller.random.guid(),
          type: 'audit.space.update',
          actor: caller.actor,
          target: { guid: now.guid, type: 'space', name: change.name ?? now.name },
          spaceGuid: now.guid,
          organizationGuid: now.organization_guid,
          data: { request: change },
        });
        return updateSpace(tx, params.guid, { ...change, ...metadataColumns(metadata, now) });
      });
      return ok(presentSpace(row, baseUrl));
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/spaces/:guid',
    summary: 'Delete a space and everything in it',
    permission: { kind: 'resource', of: 'space', may: 'space.administer' },
    handler: async (request) => {
      const { controller, caller, params } = request;
      const job = await controller.db.transaction().execute(async (tx) => {
        const { guid, name, organization_guid } = await getSpace(tx, params.guid);
        await recordEvent(tx, {
          guid: controller.random.guid(),
          type: 'audit.space.delete-request',
          actor: caller.actor,
          target: { guid, type: 'space', name },
          spaceGuid: guid,
          organizationGuid: organization_guid,
          data: { request: { recursive: true } },
        });
        return startJob(tx, {
          guid: controller.random.guid(),
          operation: 'space.delete',
          resource: { type: 'spaces', guid },
          userGuid: caller.userGuid,
          payload: { actor: caller.actor },
        });
      });
      return accepted(request, job);
    },
  }),
];
