import Type from 'typebox';
import { decode } from '../contract/decode.ts';
import type { Clock } from './clock.ts';
import type { Log } from './log.ts';
import { signPath } from './secret-box.ts';

const List = Type.Object({
  tokens: Type.Array(Type.String()),
  users: Type.Array(Type.Object({ id: Type.String(), generation: Type.Integer() })),
});
const PATH = '/internal/v1/revocations';
/** A token goes on being good for at most so long after it was revoked. */
const FRESH_MS = 5000;
/** So long the list that was read last holds when it can't be read anew: a restart of the login server takes less. */
const HOLDS_MS = 120_000;
const RETRY_MS = 1000;
const TIMEOUT_MS = 2000;
const SIGNED_FOR_S = 60;

/** What of a token tells if it was revoked; `userId` is undefined for a client's own. */
export type IssuedToken = { readonly id: string; readonly userId: string | undefined; readonly generation: number };

export type RevocationParts = {
  /** The login server's address, without a trailing slash. */
  readonly loginServer: string;
  /** Key of signed internal paths; 32 bytes, base64. */
  readonly signingKey: string;
  readonly clock: Clock;
  readonly log: Log;
};

type Lists = { readonly tokens: ReadonlySet<string>; readonly users: ReadonlyMap<string, number> };

/**
 * Tells whether a token that its signature makes good was revoked: by a log-out, with its deleted user, or by a new
 * password. The login server's list is read at most every five seconds; while that fails the last one holds for two
 * minutes.
 */
export class Revocations {
  readonly #parts: RevocationParts;
  #lists: Lists | undefined;
  #readAtMs = 0;
  #triedAtMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> | undefined;
  #fault: unknown;

  constructor(parts: RevocationParts) {
    this.#parts = parts;
  }

  /** @throws Error when the list was not read for too long */
  async isRevoked(token: IssuedToken): Promise<boolean> {
    const lists = await this.#current();
    if (lists.tokens.has(token.id)) return true;
    return token.userId !== undefined && (lists.users.get(token.userId) ?? 0) > token.generation;
  }

  async #current(): Promise<Lists> {
    if (!this.#isWithin(FRESH_MS, this.#readAtMs) && !this.#isWithin(RETRY_MS, this.#triedAtMs)) {
      this.#reading ??= this.#read().finally(() => {
        this.#reading = undefined;
      });
    }
    await this.#reading;
    if (this.#lists && this.#isWithin(HOLDS_MS, this.#readAtMs)) return this.#lists;
    throw new Error('the list of revoked tokens cannot be read', { cause: this.#fault });
  }

  /** A clock that was set back makes nothing young. */
  #isWithin(spanMs: number, sinceMs: number): boolean {
    const ageMs = this.#parts.clock.nowMs() - sinceMs;
    return ageMs >= 0 && ageMs < spanMs;
  }

  async #read(): Promise<void> {
    const { loginServer, signingKey, clock, log } = this.#parts;
    const startedMs = clock.nowMs();
    const expiresAtS = Math.floor(startedMs / 1000) + SIGNED_FOR_S;
    const path = signPath(signingKey, { method: 'GET', path: PATH, expiresAtS });
    try {
      const response = await fetch(`${loginServer}${path}`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (!response.ok) throw new Error(`${PATH} answered ${response.status}`);
      const { tokens, users } = decode(List, await response.json(), 'revocations');
      const generations = users.map(({ id, generation }): [string, number] => [id, generation]);
      this.#lists = { tokens: new Set(tokens), users: new Map(generations) };
      this.#readAtMs = startedMs;
      if (this.#fault !== undefined) log.info('read-revocations-again');
      this.#fault = undefined;
    } catch (error) {
      if (this.#fault === undefined) log.warn('failed-to-read-revocations', { error });
      this.#fault = error;
      this.#triedAtMs = clock.nowMs();
    }
  }
}
