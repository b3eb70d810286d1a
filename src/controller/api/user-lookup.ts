import { PlatformError } from '../../contract/errors.ts';
import { findUsers, findUsersByName, saveUser, type UserRow } from '../store/user.ts';
import type { Controller } from './controller.ts';

type Deps = Pick<Controller, 'db' | 'users'>;

/** A user as a role's body names one. */
export type UserReference = { readonly guid: string } | { readonly username: string; readonly origin?: string };

/**
 * The user a body means; one whom only the login server knows so far gets a row.
 *
 * @throws PlatformError UnprocessableEntity when there is none, or several of that name
 */
export async function resolveUser(deps: Deps, reference: UserReference): Promise<UserRow> {
  if ('guid' in reference) {
    const [user] = await findUsers(deps.db, [reference.guid]);
    if (user) return user;
    throw unprocessable('Invalid user. Ensure that the user exists and you have access to it.');
  }
  const { username, origin } = reference;
  await learnUsers(deps, [username]);
  const named = await findUsersByName(deps.db, username);
  const candidates = named.filter((user) => origin === undefined || user.origin === origin);
  const [user, ...others] = candidates;
  if (!user) {
    const where = origin === undefined ? '' : ` and origin '${origin}'`;
    throw unprocessable(`No user exists with the username '${username}'${where}.`);
  }
  if (others.length > 0) {
    const origins = candidates.map((candidate) => candidate.origin).join(', ');
    throw unprocessable(
      `Ambiguous user. User with username '${username}' exists in the following origins: ${origins}. Specify an origin to disambiguate.`,
    );
  }
  return user;
}

/** Asks the login server for users of these names and keeps those it knows. */
export async function learnUsers(deps: Deps, usernames: readonly string[]): Promise<void> {
  for (const user of await deps.users.findByNames(usernames)) {
    await saveUser(deps.db, { guid: user.id, username: user.userName, origin: user.origin });
  }
}

function unprocessable(detail: string): PlatformError {
  return new PlatformError('UnprocessableEntity', detail);
}
