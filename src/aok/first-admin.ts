import type { FastifyInstance } from 'fastify';
import Type from 'typebox';
import type { Tx } from '../platform/db.ts';
import { isSignedPath } from '../platform/secret-box.ts';
import { builtInOrigin } from './authenticator.ts';
import { noToken, OAuthError } from './oauth-error.ts';
import { bodyOf } from './requests.ts';
import { adminGroup, adminGroups } from './scopes.ts';
import type { Aok } from './service.ts';
import type { AokSchema } from './store/schema.ts';
import { forgetSetupPassword } from './store/setup-password.ts';
import { findUser, hasMembers, insertUser, lockGroup, type User } from './store/users.ts';
import { newHash } from './user-routes.ts';

const Body = Type.Object({
  email: Type.String({ minLength: 3, maxLength: 255, pattern: '^[^\\s@]+@[^\\s@]+$' }),
  userName: Type.Optional(Type.String({ minLength: 1, maxLength: 255 })),
  password: Type.String(),
});

/** Makes the first administrator, for whoever holds the cluster's signing key. */
export function firstAdminRoutes(server: FastifyInstance, aok: Aok): void {
  server.post('/internal/v1/first_admin', async (request, reply) => {
    if (!isSignedPath(aok.signingKey, request.method, request.url, aok.clock.nowMs())) throw noToken();
    const { email, userName = email, password } = bodyOf(Body, request.body);
    const passwordHash = await newHash(aok, userName, password);
    const outcome = await makeFirstAdmin(aok, { email, userName, passwordHash }, forgetSetupPassword);
    if (outcome === undefined) throw conflict('there is an administrator already; log in as that one');
    if (typeof outcome === 'string') return reply.status(201).send({ id: outcome, userName });
    await requireSame(aok, outcome, password);
    return { id: outcome.id, userName: outcome.userName };
  });
}

/**
 * Makes the first administrator while there is none.
 *
 * @param alsoThen done in the same transaction
 * @returns its id; the user who has the name already; undefined when somebody else is administrator
 */
export async function makeFirstAdmin(
  aok: Aok,
  { email, userName, passwordHash }: { email: string; userName: string; passwordHash: string },
  alsoThen: (tx: Tx<AokSchema>) => Promise<void>,
): Promise<string | User | undefined> {
  const outcome = await aok.db.transaction().execute(async (tx) => {
    await lockGroup(tx, adminGroup);
    const existing = await findUser(tx, [
      [
        { field: 'userName', value: userName },
        { field: 'origin', value: builtInOrigin },
      ],
    ]);
    if (existing) return existing;
    if (await hasMembers(tx, adminGroup)) return undefined;
    const id = aok.random.guid();
    const [givenName = '', familyName = ''] = email.split('@', 2);
    const user = { id, userName, origin: builtInOrigin, email, givenName, familyName };
    await insertUser(tx, { ...user, passwordHash, groups: adminGroups });
    await alsoThen(tx);
    return id;
  });
  if (typeof outcome === 'string') aok.log.info('created-first-admin', { userId: outcome });
  return outcome;
}

/** Repeating the very same request is fine, so that an interrupted set-up can go on. */
async function requireSame(aok: Aok, user: User, password: string): Promise<void> {
  if (!user.groups.includes(adminGroup)) throw conflict(`${user.userName} exists and is not an administrator`);
  if (!(await aok.passwords.isRight(password, user.passwordHash))) {
    throw conflict(`${user.userName} is an administrator already, with another password`);
  }
}

/** 409: it is there already. */
export function conflict(message: string): OAuthError {
  return new OAuthError(409, 'scim_resource_already_exists', message);
}
