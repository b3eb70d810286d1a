import type { FastifyInstance } from 'fastify';
import Type, { type Static } from 'typebox';
import { afterFailure, lockedForMs } from '../core/lockout.ts';
import { isSignedPath } from '../platform/secret-box.ts';
import { conflict, makeFirstAdmin } from './first-admin.ts';
import { noToken, OAuthError } from './oauth-error.ts';
import { bodyOf, fieldsOf } from './requests.ts';
import { adminGroup } from './scopes.ts';
import type { Aok } from './service.ts';
import { changeFailures, findFailures, forgetFailures } from './store/login-failures.ts';
import { findSetupPassword, forgetSetupPassword, putSetupPassword } from './store/setup-password.ts';
import { hasMembers } from './store/users.ts';
import { newHash } from './user-routes.ts';

/** Failures are counted under a name that no user can have. */
const COUNTED_AS = ' set-up password';
const NEXT = 'On the machine: kato node setup firstuser EMAIL ORG';
const SetupPassword = Type.Object({ password: Type.String({ minLength: 12, maxLength: 200 }) });
const Claim = Type.Object({
  email: Type.String({ minLength: 3, maxLength: 255, pattern: '^[^\\s@]+@[^\\s@]+$' }),
  password: Type.String(),
  unix_password: Type.String({ description: 'the set-up password that set-up printed' }),
});

/** Makes the first administrator over HTTP for whoever has the set-up password, which is good for that once. */
export function setupPasswordRoutes(server: FastifyInstance, aok: Aok): void {
  let turn: Promise<unknown> = Promise.resolve();
  server.post('/stackato/license', (request, reply) => {
    const claim = bodyOf(Claim, fieldsOf(request));
    // Guesses made at once don't slip past the lock.
    const mine = turn.then(() => claimPlatform(aok, claim));
    turn = mine.then(
      () => undefined,
      () => undefined,
    );
    return mine.then((id) => reply.status(201).send({ id, email: claim.email, license: 'Apache-2.0' }));
  });
  server.post('/internal/v1/setup_password', async (request, reply) => {
    if (!isSignedPath(aok.signingKey, request.method, request.url, aok.clock.nowMs())) throw noToken();
    const { password } = bodyOf(SetupPassword, request.body);
    if (await hasMembers(aok.db, adminGroup)) throw conflict('there is an administrator already');
    await putSetupPassword(aok.db, await aok.passwords.hash(password));
    return reply.status(204).send();
  });
}

async function claimPlatform(aok: Aok, claim: Static<typeof Claim>): Promise<string> {
  const { db, clock, log } = aok;
  if (await hasMembers(db, adminGroup)) throw conflict('there is an administrator already; log in as that one');
  const hash = await findSetupPassword(db);
  if (hash === undefined) throw new OAuthError(403, 'access_denied', `There is no set-up password here. ${NEXT}`);
  const policy = { failures: aok.config.aok.lockoutFailures, lockoutMs: aok.config.aok.lockoutS * 1000 };
  const nowMs = clock.nowMs();
  const lockedMs = lockedForMs(await findFailures(db, COUNTED_AS), policy, nowMs);
  if (lockedMs > 0) {
    const wait = `Try again in ${Math.ceil(lockedMs / 60_000)} min`;
    throw new OAuthError(429, 'access_denied', `Too many wrong set-up passwords. ${wait}. ${NEXT}`);
  }
  if (!(await aok.passwords.isRight(claim.unix_password, hash))) {
    await changeFailures(db, COUNTED_AS, (before) => afterFailure(before, policy, nowMs));
    log.warn('refused-setup-password');
    throw new OAuthError(401, 'access_denied', `unix_password is not the set-up password of this platform. ${NEXT}`);
  }
  const passwordHash = await newHash(aok, claim.email, claim.password);
  const made = await makeFirstAdmin(
    aok,
    { email: claim.email, userName: claim.email, passwordHash },
    forgetSetupPassword,
  );
  if (typeof made !== 'string') throw conflict('there is an administrator already; log in as that one');
  await forgetFailures(db, COUNTED_AS);
  return made;
}
