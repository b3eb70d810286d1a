import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import { isSignedPath } from '../platform/secret-box.ts';
import { builtInOrigin } from './authenticator.ts';
import { noToken, OAuthError } from './oauth-error.ts';
import { bodyOf } from './requests.ts';
import { adminGroup, adminGroups } from './scopes.ts';
import type { Aok } from './service.ts';
import { findUser, hasMembers, insertUser, lockGroup, type User } from './store/users.ts';
import { newHash } from './user-routes.ts';

const Body = Type.Object({
  email: Type.String({ minLength: 3, maxLength: 255, pattern: '^[^\\s@]+@[^\\s@]+$' }),
  password: Type.String(),
});

/** Makes the first administrator, for whoever holds the cluster's signing key. */
export function firstAdminRoutes(server: FastifyInstance, aok: Aok): void {
  server.post('/internal/v1/first_admin', async (request, reply) => {
    if (!isSignedPath(aok.signingKey, request.method, request.url, aok.clock.nowMs())) throw noToken();
    const { email, password } = bodyOf(Body, request.body);
    const passwordHash = await newHash(aok, email, password);
    const outcome = await aok.db.transaction().execute(async (tx) => {
      await lockGroup(tx, adminGroup);
      const existing = await findUser(tx, [
        [
          { field: 'userName', value: email },
          { field: 'origin', value: builtInOrigin },
        ],
      ]);
      if (existing) return existing;
      if (await hasMembers(tx, adminGroup)) return 'taken';
      const id = aok.random.guid();
      const [givenName = '', familyName = ''] = email.split('@', 2);
      const user = { id, userName: email, origin: builtInOrigin, email, givenName, familyName };
      await insertUser(tx, { ...user, passwordHash, groups: adminGroups });
      return id;
    });
    if (outcome === 'taken') throw conflict('there is an administrator already; log in as that one');
    if (typeof outcome === 'string') {
      aok.log.info('created-first-admin', { userId: outcome });
      return reply.status(201).send({ id: outcome, userName: email });
    }
    await requireSame(aok, outcome, password);
    return { id: outcome.id, userName: outcome.userName };
  });
}

/** Repeating the very same request is fine, so that an interrupted set-up can go on. */
async function requireSame(aok: Aok, user: User, password: string): Promise<void> {
  if (!user.groups.includes(adminGroup)) throw conflict(`${user.userName} exists and is not an administrator`);
  if (!(await aok.passwords.isRight(password, user.passwordHash))) {
    throw conflict(`${user.userName} is an administrator already, with another password`);
  }
}

function conflict(message: string): OAuthError {
  return new OAuthError(409, 'scim_resource_already_exists', message);
}
