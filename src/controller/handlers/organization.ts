import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { ListOf, listed } from '../api/list.ts';
import { MetadataPatch, metadataColumns } from '../api/metadata.ts';
import { accepted, created, ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { OrganizationBody, presentOrganization } from '../present/organization.ts';
import { recordEvent } from '../store/audit-event.ts';
import { isFeatureEnabled } from '../store/feature-flag.ts';
import { startJob } from '../store/job.ts';
import { getOrganization, insertOrganization, listOrganizations, updateOrganization } from '../store/organization.ts';
import { insertRole } from '../store/role.ts';

const Name = Type.String({ minLength: 1, maxLength: 255, pattern: '^[^\\u0000-\\u001f\\u007f]+$' });

/** CRUD of organizations. */
export const organizationRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/organizations',
    summary: 'List organizations',
    permission: { kind: 'authenticated' },
    query: { params: ['names'], list: { order: ['created_at', 'updated_at', 'name'], isLabelled: true } },
    responses: { 200: ListOf(OrganizationBody) },
    handler: async (request) => {
      const page = await listOrganizations(request.controller.db, request.caller, request.query);
      return listed(request, page, { present: (row) => presentOrganization(row, request.baseUrl) });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/organizations/:guid',
    summary: 'Get an organization',
    permission: { kind: 'resource', of: 'organization', may: 'organization.read' },
    responses: { 200: OrganizationBody },
    handler: async ({ controller, params, baseUrl }) =>
      ok(presentOrganization(await getOrganization(controller.db, params.guid), baseUrl)),
  }),
  route({
    method: 'POST',
    path: '/v3/organizations',
    summary: 'Create an organization',
    permission: { kind: 'authenticated' },
    body: Type.Object(
      { name: Name, suspended: Type.Optional(Type.Boolean()), metadata: Type.Optional(MetadataPatch) },
      { additionalProperties: false },
    ),
    responses: { 201: OrganizationBody },
    handler: async ({ controller, caller, body, baseUrl }) => {
      const { db, random } = controller;
      if (!caller.isAdmin && !(await isFeatureEnabled(db, 'user_org_creation')))
        throw new PlatformError('NotAuthorized');
      const { name, suspended = false } = body;
      const row = await db.transaction().execute(async (tx) => {
        const guid = random.guid();
        const inserted = await insertOrganization(tx, { guid, name, suspended, ...metadataColumns(body.metadata) });
        if (!caller.isAdmin) {
          for (const type of ['organization_user', 'organization_manager'] as const) {
            await insertRole(tx, { guid: random.guid(), type, userGuid: caller.userGuid, organizationGuid: guid });
          }
        }
        await recordEvent(tx, {
          guid: random.guid(),
          type: 'audit.organization.create',
          actor: caller.actor,
          target: { guid, type: 'organization', name },
          organizationGuid: guid,
          data: { request: { name } },
        });
        return inserted;
      });
      return created(presentOrganization(row, baseUrl));
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/organizations/:guid',
    summary: 'Rename, suspend or label an organization',
    permission: { kind: 'resource', of: 'organization', may: 'organization.manage' },
    body: Type.Object(
      {
        name: Type.Optional(Name),
        suspended: Type.Optional(Type.Boolean()),
        metadata: Type.Optional(MetadataPatch),
      },
      { additionalProperties: false },
    ),
    responses: { 200: OrganizationBody },
    handler: async ({ controller, caller, params, body, baseUrl }) => {
      const { metadata, ...change } = body;
      if (change.suspended !== undefined && !caller.isAdmin) throw new PlatformError('NotAuthorized');
      const row = await controller.db.transaction().execute(async (tx) => {
        const now = await getOrganization(tx, params.guid);
        await recordEvent(tx, {
          guid: controller.random.guid(),
          type: 'audit.organization.update',
          actor: caller.actor,
          target: { guid: now.guid, type: 'organization', name: change.name ?? now.name },
          organizationGuid: now.guid,
          data: { request: change },
        });
        return updateOrganization(tx, params.guid, { ...change, ...metadataColumns(metadata, now) });
      });
      return ok(presentOrganization(row, baseUrl));
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/organizations/:guid',
    summary: 'Delete an organization and everything in it',
    permission: { kind: 'resource', of: 'organization', may: 'organization.administer' },
    handler: async (request) => {
      const { controller, caller, params } = request;
      const { db, random } = controller;
      const job = await db.transaction().execute(async (tx) => {
        const { guid, name } = await getOrganization(tx, params.guid);
        await recordEvent(tx, {
          guid: random.guid(),
          type: 'audit.organization.delete-request',
          actor: caller.actor,
          target: { guid, type: 'organization', name },
          organizationGuid: guid,
        });
        return startJob(tx, {
          guid: random.guid(),
          operation: 'organization.delete',
          resource: { type: 'organizations', guid },
          userGuid: caller.userGuid,
          payload: { actor: caller.actor },
        });
      });
      return accepted(request, job);
    },
  }),
];
