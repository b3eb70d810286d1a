import type { FastifyInstance } from 'fastify';
import type { Static } from 'typebox';
import Type from 'typebox';
import { passwordFault } from '../core/password-policy.ts';
import { builtInOrigin } from './authenticator.ts';
import { insufficientScope, OAuthError } from './oauth-error.ts';
import { bodyOf, fieldsOf } from './requests.ts';
import { parseUserFilter } from './scim-filter.ts';
import type { Aok } from './service.ts';
import { revokeTokensOf } from './store/revocations.ts';
import { countUsers, deleteUser, findUser, insertUser, listUsers, setPasswordHash, type User } from './store/users.ts';

const NewUserBody = Type.Object({
  userName: Type.String({ minLength: 1, maxLength: 255 }),
  password: Type.Optional(Type.String()),
  origin: Type.String({ default: builtInOrigin, maxLength: 36 }),
  name: Type.Object(
    {
      givenName: Type.Optional(Type.String({ maxLength: 255 })),
      familyName: Type.Optional(Type.String({ maxLength: 255 })),
    },
    { default: {} },
  ),
  emails: Type.Array(Type.Object({ value: Type.String({ maxLength: 255 }) }), { default: [] }),
});
const NewPasswordBody = Type.Object({ oldPassword: Type.Optional(Type.String()), password: Type.String() });
const MOST_PER_PAGE = 500;
const DAY_MS = 86_400_000;

/** Users, as SCIM resources. */
export function userRoutes(server: FastifyInstance, aok: Aok): void {
  const { db, bearers } = aok;

  server.get('/Users', async (request) => {
    await bearers.require(request, 'scim.read', 'uaa.admin');
    return list(aok, fieldsOf(request), toScim);
  });

  // Who may only translate between ids and names.
  server.get('/ids/Users', async (request) => {
    await bearers.require(request, 'scim.userids', 'scim.read', 'uaa.admin');
    return list(aok, fieldsOf(request), ({ id, userName, origin }) => ({ id, userName, origin }));
  });

  server.get<{ Params: { id: string } }>('/Users/:id', async (request) => {
    const claims = await bearers.require(request);
    const isAllowed = ['scim.read', 'uaa.admin'].some((scope) => claims.scope.includes(scope));
    if (!isAllowed && claims.user_id !== request.params.id) throw insufficientScope('scim.read');
    return toScim(await getUser(aok, request.params.id));
  });

  server.post('/Users', async (request, reply) => {
    await bearers.require(request, 'scim.write', 'uaa.admin');
    const user = await createUser(aok, bodyOf(NewUserBody, request.body), []);
    return reply.status(201).send(toScim(user));
  });

  server.delete<{ Params: { id: string } }>('/Users/:id', async (request) => {
    await bearers.require(request, 'scim.write', 'uaa.admin');
    const user = await getUser(aok, request.params.id);
    await db.transaction().execute(async (tx) => {
      await deleteUser(tx, user.id);
      await revokeTokensOf(tx, user.id, endOfTokensMs(aok));
    });
    aok.log.info('deleted-user', { userId: user.id });
    return toScim(user);
  });

  server.put<{ Params: { id: string } }>('/Users/:id/password', async (request) => {
    const claims = await bearers.require(request, 'password.write', 'scim.write', 'uaa.admin');
    const { id } = request.params;
    const body = bodyOf(NewPasswordBody, request.body);
    const isOwn = claims.user_id === id;
    if (!isOwn && !claims.scope.includes('uaa.admin')) throw insufficientScope('uaa.admin');
    const user = await getUser(aok, id);
    if (isOwn && !(await aok.passwords.isRight(body.oldPassword ?? '', user.passwordHash))) {
      throw new OAuthError(401, 'unauthorized', 'Old password is incorrect');
    }
    await changePassword(aok, user, body.password);
    return { status: 'ok', message: 'password updated' };
  });
}

/** @throws OAuthError 409 when the name is taken, 422 for a bad password */
export async function createUser(aok: Aok, body: Static<typeof NewUserBody>, groups: readonly string[]): Promise<User> {
  const { userName } = body;
  // Clients that were told of no origin send an empty one.
  const origin = body.origin || builtInOrigin;
  if (origin === builtInOrigin && body.password === undefined) {
    throw new OAuthError(400, 'invalid_scim_resource', 'A password is needed');
  }
  const passwordHash = origin === builtInOrigin ? await newHash(aok, userName, body.password ?? '') : null;
  const email = body.emails[0]?.value ?? userName;
  const id = aok.random.guid();
  const { givenName = '', familyName = '' } = body.name;
  const isNew = await aok.db
    .transaction()
    .execute((tx) => insertUser(tx, { id, userName, origin, email, givenName, familyName, passwordHash, groups }));
  if (!isNew) throw new OAuthError(409, 'scim_resource_already_exists', `Username already in use: ${userName}`);
  aok.log.info('created-user', { userId: id });
  return getUser(aok, id);
}

/** The hash of a new password; throws OAuthError 422 invalid_password naming what is wrong with it. */
export async function newHash(aok: Aok, userName: string, password: string): Promise<string> {
  const fault = passwordFault(password, { minLength: aok.config.aok.passwordMinLength, userName });
  if (fault !== undefined) throw new OAuthError(422, 'invalid_password', fault);
  return aok.passwords.hash(password);
}

async function changePassword(aok: Aok, user: User, password: string): Promise<void> {
  if (user.origin !== builtInOrigin) {
    throw new OAuthError(422, 'invalid_password', `The password of this user is kept by ${user.origin}, not here`);
  }
  if (await aok.passwords.isRight(password, user.passwordHash)) {
    throw new OAuthError(422, 'invalid_password', 'Your new password cannot be the same as the old password.');
  }
  const passwordHash = await newHash(aok, user.userName, password);
  await aok.db.transaction().execute(async (tx) => {
    await setPasswordHash(tx, user.id, passwordHash);
    await revokeTokensOf(tx, user.id, endOfTokensMs(aok));
  });
  aok.log.info('changed-password', { userId: user.id });
}

/**
 * When no access token that exists now can be good any more (epoch ms), on machines whose clocks differ, and also if
 * the life of tokens was up to a day longer before.
 */
export function endOfTokensMs({ clock, config }: Aok): number {
  return clock.nowMs() + config.aok.accessTokenS * 1000 + DAY_MS;
}

/** @throws OAuthError 404 */
export async function getUser(aok: Aok, id: string): Promise<User> {
  const user = await findUser(aok.db, [[{ field: 'id', value: id }]]);
  if (!user) throw new OAuthError(404, 'scim_resource_not_found', `User ${id} does not exist`);
  return user;
}

async function list(aok: Aok, fields: Readonly<Record<string, string>>, shape: (user: User) => unknown) {
  const search = parseUserFilter(fields.filter);
  const startIndex = Math.max(1, Math.trunc(Number(fields.startIndex ?? 1)) || 1);
  const count = Math.min(MOST_PER_PAGE, Math.max(0, Math.trunc(Number(fields.count ?? 100)) || 0));
  const [users, totalResults] = await Promise.all([
    listUsers(aok.db, search, { offset: startIndex - 1, limit: count }),
    countUsers(aok.db, search),
  ]);
  const schemas = ['urn:scim:schemas:core:1.0'];
  return { resources: users.map(shape), startIndex, itemsPerPage: count, totalResults, schemas };
}

function toScim(user: User) {
  return {
    id: user.id,
    userName: user.userName,
    name: { givenName: user.givenName, familyName: user.familyName },
    emails: [{ value: user.email, primary: true }],
    groups: user.groups.map((name) => ({ value: name, display: name, type: 'DIRECT' })),
    active: user.isActive,
    verified: true,
    origin: user.origin,
    zoneId: 'uaa',
    meta: {
      version: 0,
      created: new Date(user.createdAtMs).toISOString(),
      lastModified: new Date(user.updatedAtMs).toISOString(),
    },
    schemas: ['urn:scim:schemas:core:1.0'],
  };
}
