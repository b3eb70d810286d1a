import { timingSafeEqual } from 'node:crypto';
import { PlatformError } from '../../contract/errors.ts';
import { isSignedPath } from '../../platform/secret-box.ts';
import { saveUser } from '../store/user.ts';
import { type Caller, callerOf, hasScopeFor } from './caller.ts';
import type { Controller } from './controller.ts';

const KNOWN_FOR_MS = 60_000;
const MAX_KNOWN = 10_000;

/** Finds out who calls, and makes sure that every caller with a valid token has a user row. */
export class Authentication {
  readonly #controller: Controller;
  readonly #knownUntilMs = new Map<string, number>();

  constructor(controller: Controller) {
    this.#controller = controller;
  }

  /** @throws PlatformError 401 for a missing or invalid token, 403 for one without the scope to read or write */
  async bearer(authorization: string | undefined, method: string): Promise<Caller> {
    const claims = await this.#verify(authorization);
    if (claims === 'missing') throw new PlatformError('NotAuthenticated');
    if (claims === 'invalid' || claims.userGuid === '') throw new PlatformError('InvalidAuthToken');
    const caller = callerOf(claims);
    if (!hasScopeFor(caller, method)) throw new PlatformError('NotAuthorized');
    await this.#remember(caller);
    return caller;
  }

  /** @throws PlatformError 401 unless the URL carries our signature for this method */
  signed(method: string, url: string): void {
    const { signingKey, clock } = this.#controller;
    if (!isSignedPath(signingKey, method === 'HEAD' ? 'GET' : method, url, clock.nowMs())) {
      throw new PlatformError('NotAuthenticated');
    }
  }

  /** @throws PlatformError 401 unless the header is Basic auth of the bulk API */
  bulk(authorization: string | undefined): void {
    const expected = Buffer.from(`bulk_api:${this.#controller.signingKey}`);
    const given = Buffer.from(authorization?.replace(/^basic\s+/i, '') ?? '', 'base64');
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) {
      throw new PlatformError('NotAuthenticated');
    }
  }

  async #verify(authorization: string | undefined) {
    try {
      return await this.#controller.verifyToken(authorization);
    } catch (error) {
      throw new PlatformError('ServiceUnavailable', 'The login server cannot be reached. Try again in a moment.', {
        cause: error,
      });
    }
  }

  async #remember(caller: Caller): Promise<void> {
    const { db, clock } = this.#controller;
    const key = `${caller.userGuid} ${caller.origin} ${caller.userName ?? ''}`;
    const nowMs = clock.nowMs();
    if ((this.#knownUntilMs.get(key) ?? 0) > nowMs) return;
    const user = { guid: caller.userGuid, username: caller.userName ?? null };
    await saveUser(db, { ...user, origin: caller.userName === undefined ? null : caller.origin });
    if (this.#knownUntilMs.size >= MAX_KNOWN) this.#knownUntilMs.clear();
    this.#knownUntilMs.set(key, nowMs + KNOWN_FOR_MS);
  }
}
