import { afterFailure, type LockoutPolicy, lockedForMs } from '../core/lockout.ts';
import type { Clock } from '../platform/clock.ts';
import type { Db } from '../platform/db.ts';
import type { Log } from '../platform/log.ts';
import { accountLocked, badCredentials } from './oauth-error.ts';
import type { Passwords } from './passwords.ts';
import { changeFailures, findFailures, forgetFailures } from './store/login-failures.ts';
import type { AokSchema } from './store/schema.ts';
import { findUser, nameKey, noteLogin, type User } from './store/users.ts';

/** Built-in users; the only origin with passwords of its own. */
export const builtInOrigin = 'uaa';

/** Checks passwords, and locks names that are guessed at. Unknown names are treated like known ones. */
export class Authenticator {
  readonly #db: Db<AokSchema>;
  readonly #passwords: Passwords;
  readonly #policy: () => LockoutPolicy;
  readonly #clock: Clock;
  readonly #log: Log;
  /** Attempts for one name wait for each other, so that guesses made at once don't slip past the lock. */
  readonly #queues = new Map<string, Promise<unknown>>();

  constructor(options: {
    db: Db<AokSchema>;
    passwords: Passwords;
    policy: () => LockoutPolicy;
    clock: Clock;
    log: Log;
  }) {
    this.#db = options.db;
    this.#passwords = options.passwords;
    this.#policy = options.policy;
    this.#clock = options.clock;
    this.#log = options.log;
  }

  /**
   * The user with this name and password.
   *
   * @throws OAuthError 401: bad credentials, or locked
   */
  async logIn(userName: string, password: string): Promise<User> {
    const key = nameKey(userName);
    const turn = (this.#queues.get(key) ?? Promise.resolve()).then(() => this.#attempt(userName, password));
    const settled = turn.then(
      () => undefined,
      () => undefined,
    );
    this.#queues.set(key, settled);
    try {
      return await turn;
    } finally {
      if (this.#queues.get(key) === settled) this.#queues.delete(key);
    }
  }

  async #attempt(userName: string, password: string): Promise<User> {
    const key = nameKey(userName);
    const nowMs = this.#clock.nowMs();
    const failures = await findFailures(this.#db, key);
    const lockedMs = lockedForMs(failures, this.#policy(), nowMs);
    if (lockedMs > 0) {
      this.#log.warn('refused-login', { reason: 'locked' });
      throw accountLocked(lockedMs);
    }
    const user = await findUser(this.#db, [
      [
        { field: 'userName', value: userName },
        { field: 'origin', value: builtInOrigin },
      ],
    ]);
    const isRight = await this.#passwords.isRight(password, user?.passwordHash);
    if (!user?.isActive || !isRight) {
      await changeFailures(this.#db, key, (before) => afterFailure(before, this.#policy(), nowMs));
      this.#log.warn('refused-login', { reason: 'bad-credentials', userId: user?.id });
      throw badCredentials();
    }
    if (failures) await forgetFailures(this.#db, key);
    await noteLogin(this.#db, user.id, nowMs);
    this.#log.info('logged-in', { userId: user.id });
    return user;
  }
}
