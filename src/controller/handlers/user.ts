import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { listed } from '../api/list.ts';
import { MetadataPatch, metadataColumns } from '../api/metadata.ts';
import { accepted, created, ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { learnUsers } from '../api/user-lookup.ts';
import { presentUser } from '../present/user.ts';
import { startJob } from '../store/job.ts';
import { deleteUser, findVisibleUser, insertUser, listUsers, updateUser, usersWithRole } from '../store/user.ts';

const LIST = {
  params: ['usernames', 'partial_usernames', 'origins'],
  list: { order: ['created_at', 'updated_at', 'username'], isLabelled: true },
} as const;
const Text = Type.String({ minLength: 1, maxLength: 255 });

/** Users as the controller knows them; the login server holds their passwords. */
export const userRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/users',
    summary: 'List users',
    permission: { kind: 'authenticated' },
    query: LIST,
    handler: async (request) => {
      const { controller, caller, query, baseUrl } = request;
      if (caller.isAdmin) await learnUsers(controller, query.values('usernames') ?? []);
      const page = await listUsers(controller.db, caller, { query });
      return listed(request, page, { present: (row) => presentUser(row, baseUrl) });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/organizations/:guid/users',
    summary: 'List users with a role in an organization',
    permission: { kind: 'resource', of: 'organization', may: 'organization.read' },
    query: LIST,
    handler: async (request) => {
      const { controller, caller, query, params, baseUrl } = request;
      const within = usersWithRole({ organizationGuid: params.guid });
      const page = await listUsers(controller.db, caller, { query, within });
      return listed(request, page, { present: (row) => presentUser(row, baseUrl) });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/spaces/:guid/users',
    summary: 'List users with a role in a space',
    permission: { kind: 'resource', of: 'space', may: 'space.read' },
    query: LIST,
    handler: async (request) => {
      const { controller, caller, query, params, baseUrl } = request;
      const within = usersWithRole({ spaceGuid: params.guid });
      const page = await listUsers(controller.db, caller, { query, within });
      return listed(request, page, { present: (row) => presentUser(row, baseUrl) });
    },
  }),
  route({
    method: 'POST',
    path: '/v3/users',
    summary: 'Make a user of the login server known',
    permission: { kind: 'admin' },
    body: Type.Object(
      {
        guid: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
        username: Type.Optional(Text),
        origin: Type.Optional(Text),
        metadata: Type.Optional(MetadataPatch),
      },
      { additionalProperties: false },
    ),
    handler: async ({ controller, body, baseUrl }) => {
      const { db, users } = controller;
      if ((body.guid === undefined) === (body.username === undefined)) {
        throw new PlatformError('UnprocessableEntity', "Give either 'guid', or 'username' and 'origin'.");
      }
      const named = body.username === undefined ? [] : await users.findByNames([body.username]);
      const known = body.guid === undefined ? named : await users.findByIds([body.guid]);
      const user = known.find((one) => body.origin === undefined || one.origin === body.origin);
      const guid = body.guid ?? user?.id;
      if (guid === undefined) {
        throw new PlatformError(
          'UnprocessableEntity',
          `The login server knows no user '${body.username}'. Create it there first.`,
        );
      }
      const row = await insertUser(db, {
        guid,
        username: user?.userName ?? null,
        origin: user?.origin ?? null,
        ...metadataColumns(body.metadata),
      });
      if (!row) throw new PlatformError('UnprocessableEntity', `User with guid '${guid}' already exists.`);
      return created(presentUser(row, baseUrl));
    },
  }),
  route({
    method: 'GET',
    path: '/v3/users/:guid',
    summary: 'Get a user',
    permission: { kind: 'authenticated' },
    handler: async ({ controller, caller, params, baseUrl }) => {
      const user = await findVisibleUser(controller.db, caller, params.guid);
      if (!user) throw new PlatformError('ResourceNotFound', 'User not found');
      return ok(presentUser(user, baseUrl));
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/users/:guid',
    summary: 'Label a user',
    permission: { kind: 'admin' },
    body: Type.Object({ metadata: Type.Optional(MetadataPatch) }, { additionalProperties: false }),
    handler: async ({ controller, caller, params, body, baseUrl }) => {
      const user = await findVisibleUser(controller.db, caller, params.guid);
      if (!user) throw new PlatformError('ResourceNotFound', 'User not found');
      return ok(presentUser(await updateUser(controller.db, user.guid, metadataColumns(body.metadata, user)), baseUrl));
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/users/:guid',
    summary: 'Forget a user and their roles',
    permission: { kind: 'admin' },
    handler: async (request) => {
      const { controller, caller, params } = request;
      const user = await findVisibleUser(controller.db, caller, params.guid);
      if (!user) throw new PlatformError('ResourceNotFound', 'User not found');
      const job = await controller.db.transaction().execute(async (tx) => {
        await deleteUser(tx, user.guid);
        return startJob(tx, { guid: controller.random.guid(), operation: 'user.delete', isDone: true });
      });
      return accepted(request, job);
    },
  }),
];
