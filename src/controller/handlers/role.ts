import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { organizationRoles, type RoleType, spaceRoles } from '../../core/permissions.ts';
import { authorize } from '../api/authorization.ts';
import { listed } from '../api/list.ts';
import { ToOne } from '../api/relationship.ts';
import { accepted, created, ok } from '../api/reply.ts';
import { type ApiRequest, type Route, route } from '../api/route.ts';
import { resolveUser } from '../api/user-lookup.ts';
import { presentOrganization } from '../present/organization.ts';
import { presentRole } from '../present/role.ts';
import { presentSpace } from '../present/space.ts';
import { presentUser } from '../present/user.ts';
import { recordEvent } from '../store/audit-event.ts';
import { isFeatureEnabled } from '../store/feature-flag.ts';
import { startJob } from '../store/job.ts';
import { findOrganizations, getOrganization } from '../store/organization.ts';
import {
  deleteRole,
  findRole,
  hasOrganizationRole,
  hasSpaceRole,
  insertRole,
  listRoles,
  type RoleRow,
} from '../store/role.ts';
import { findSpaces, getSpace } from '../store/space.ts';
import { findUsers } from '../store/user.ts';

const INCLUDE = ['user', 'organization', 'space'] as const;
const UserReference = Type.Object({
  data: Type.Union([
    Type.Object({ guid: Type.String({ minLength: 1 }) }, { additionalProperties: false }),
    Type.Object(
      { username: Type.String({ minLength: 1 }), origin: Type.Optional(Type.String({ minLength: 1 })) },
      { additionalProperties: false },
    ),
  ]),
});

/** Roles of users in organizations and spaces. */
export const roleRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/roles',
    summary: 'List roles',
    permission: { kind: 'authenticated' },
    query: {
      params: ['types', 'space_guids', 'organization_guids', 'user_guids'],
      list: { order: ['created_at', 'updated_at'] },
      include: INCLUDE,
    },
    handler: async (request) => {
      const page = await listRoles(request.controller.db, request.caller, request.query);
      const included = await includedWith(request, page.rows);
      return listed(request, page, { present: (row) => presentRole(row, request.baseUrl), included });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/roles/:guid',
    summary: 'Get a role',
    permission: { kind: 'authenticated' },
    query: { include: INCLUDE },
    handler: async (request) => {
      const role = await visibleRole(request, request.params.guid);
      const included = await includedWith(request, [role]);
      return ok({ ...presentRole(role, request.baseUrl), ...(included ? { included } : {}) });
    },
  }),
  route({
    method: 'POST',
    path: '/v3/roles',
    summary: 'Give a user a role',
    permission: { kind: 'authenticated' },
    body: Type.Object(
      {
        type: Type.Enum([...organizationRoles, ...spaceRoles]),
        relationships: Type.Object(
          { user: UserReference, organization: Type.Optional(ToOne), space: Type.Optional(ToOne) },
          { additionalProperties: false },
        ),
      },
      { additionalProperties: false },
    ),
    handler: async (request) => {
      const { controller, caller, body, baseUrl } = request;
      const { db } = controller;
      const { type, relationships } = body;
      const place = await placeOf(request, type, relationships);
      const reference = relationships.user.data;
      if ('username' in reference && !caller.isAdmin && !(await isFeatureEnabled(db, 'set_roles_by_username'))) {
        throw new PlatformError('FeatureDisabled', 'set_roles_by_username');
      }
      const user = await resolveUser(controller, reference);
      const isSpaceRole = place.spaceGuid !== undefined;
      if (isSpaceRole && !(await hasOrganizationRole(db, user.guid, place.organizationGuid))) {
        throw unprocessable(
          "Users cannot be assigned roles in a space if they do not have a role in that space's organization.",
        );
      }
      const role = await db.transaction().execute(async (tx) => {
        const inserted = await insertRole(tx, { guid: controller.random.guid(), type, userGuid: user.guid, ...place });
        if (!inserted) {
          const where = isSpaceRole ? 'space' : 'organization';
          throw unprocessable(
            `User '${user.username ?? user.guid}' already has '${type}' role in ${where} '${place.name}'.`,
          );
        }
        await recordRoleEvent(request, tx, { role: inserted, name: user.username ?? '', verb: 'add' });
        return inserted;
      });
      return created(presentRole(role, baseUrl));
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/roles/:guid',
    summary: 'Take a role away',
    permission: { kind: 'authenticated' },
    handler: async (request) => {
      const { controller, caller } = request;
      const role = await visibleRole(request, request.params.guid);
      await authorize(controller, caller, manageQuestion(role));
      if (
        role.type === 'organization_user' &&
        (await hasSpaceRole(controller.db, role.user_guid, role.organization_guid))
      ) {
        throw unprocessable(
          'Cannot delete organization_user role while user has roles in spaces in that organization.',
        );
      }
      const [user] = await findUsers(controller.db, [role.user_guid]);
      const job = await controller.db.transaction().execute(async (tx) => {
        await deleteRole(tx, role.guid);
        await recordRoleEvent(request, tx, { role, name: user?.username ?? '', verb: 'remove' });
        return startJob(tx, { guid: controller.random.guid(), operation: 'role.delete', isDone: true });
      });
      return accepted(request, job);
    },
  }),
];

type Request = Pick<ApiRequest, 'controller' | 'caller' | 'query' | 'baseUrl'>;
type Place = { readonly organizationGuid: string; readonly spaceGuid?: string; readonly name: string };

/** Where a new role is to be, once the caller was found to manage it. */
async function placeOf(
  { controller, caller }: Request,
  type: RoleType,
  relationships: { organization?: { data: { guid: string } }; space?: { data: { guid: string } } },
): Promise<Place> {
  const isSpaceRole = type.startsWith('space_');
  const thing = isSpaceRole ? 'space' : 'organization';
  const guid = relationships[thing]?.data.guid;
  if (guid === undefined) throw unprocessable(`Role ${type} needs relationships.${thing}.data.guid`);
  await authorize(controller, caller, {
    of: thing,
    guid,
    may: isSpaceRole ? 'space.manage' : 'organization.manage',
    invalid: `Invalid ${thing}. Ensure the ${thing} exists and you have access to it.`,
  });
  if (!isSpaceRole) return { organizationGuid: guid, name: (await getOrganization(controller.db, guid)).name };
  const space = await getSpace(controller.db, guid);
  return { organizationGuid: space.organization_guid, spaceGuid: guid, name: space.name };
}

function manageQuestion(role: RoleRow) {
  return role.space_guid === null
    ? ({ of: 'organization', guid: role.organization_guid, may: 'organization.manage' } as const)
    : ({ of: 'space', guid: role.space_guid, may: 'space.manage' } as const);
}

async function visibleRole({ controller, caller }: Request, guid: string): Promise<RoleRow> {
  const role = await findRole(controller.db, caller, guid);
  if (!role) throw new PlatformError('ResourceNotFound', 'Role not found');
  return role;
}

async function includedWith({ controller, query, baseUrl }: Request, roles: readonly RoleRow[]) {
  const { db } = controller;
  if (query.include.length === 0) return undefined;
  const wants = (name: (typeof INCLUDE)[number]) => query.include.includes(name);
  const distinct = (guids: readonly (string | null)[]) => [...new Set(guids.filter((guid) => guid !== null))];
  const own = roles.filter((role) => role.space_guid === null);
  const [users, organizations, spaces] = await Promise.all([
    wants('user') ? findUsers(db, distinct(roles.map((role) => role.user_guid))) : [],
    wants('organization') ? findOrganizations(db, distinct(own.map((role) => role.organization_guid))) : [],
    wants('space') ? findSpaces(db, distinct(roles.map((role) => role.space_guid))) : [],
  ]);
  return {
    ...(wants('user') ? { users: users.map((row) => presentUser(row, baseUrl)) } : {}),
    ...(wants('organization') ? { organizations: organizations.map((row) => presentOrganization(row, baseUrl)) } : {}),
    ...(wants('space') ? { spaces: spaces.map((row) => presentSpace(row, baseUrl)) } : {}),
  };
}

function recordRoleEvent(
  { controller, caller }: Request,
  tx: Parameters<typeof recordEvent>[0],
  change: { role: RoleRow; name: string; verb: 'add' | 'remove' },
): Promise<void> {
  const { role } = change;
  return recordEvent(tx, {
    guid: controller.random.guid(),
    type: `audit.user.${role.type}_${change.verb}`,
    actor: caller.actor,
    target: { guid: role.user_guid, type: 'user', name: change.name },
    spaceGuid: role.space_guid ?? undefined,
    organizationGuid: role.organization_guid,
    data: { request: { type: role.type } },
  });
}

function unprocessable(detail: string): PlatformError {
  return new PlatformError('UnprocessableEntity', detail);
}
