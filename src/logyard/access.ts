import { createHash } from 'node:crypto';
import type { Clock } from '../platform/clock.ts';
import type { TokenClaims, TokenVerifier } from '../platform/token-verifier.ts';

/** Who asks, once their token was found to be good. */
export type Reader = { readonly claims: TokenClaims; readonly authorization: string };

/** Asks the controller whether the holder of a token may read the log of an app; without an app, whether the token is still good. */
export type AskController = (app: string | undefined, authorization: string) => Promise<boolean>;

const FRESH_MS = 5000;
/** So long an answer holds when the controller gives no new one. */
const KEPT_MS = 30_000;
const MOST_KEPT = 10_000;

/** Decides who may read what, as the controller sees it; its answers hold for five seconds. */
export class Access {
  readonly #verify: TokenVerifier;
  readonly #ask: AskController;
  readonly #clock: Clock;
  readonly #answers = new Map<string, { readonly isAllowed: boolean; readonly atMs: number }>();

  constructor(given: { verify: TokenVerifier; ask: AskController; clock: Clock }) {
    this.#verify = given.verify;
    this.#ask = given.ask;
    this.#clock = given.clock;
  }

  /** Undefined without a good token. */
  async reader(authorization: string | undefined): Promise<Reader | undefined> {
    const claims = await this.#verify(authorization);
    return typeof claims === 'string' || authorization === undefined ? undefined : { claims, authorization };
  }

  isAdmin({ claims }: Reader): boolean {
    return claims.scopes.includes('cloud_controller.admin');
  }

  async mayRead(reader: Reader, app: string): Promise<boolean> {
    return this.#answer(this.isAdmin(reader) ? undefined : app, reader.authorization);
  }

  async #answer(app: string | undefined, authorization: string): Promise<boolean> {
    const key = createHash('sha256').update(`${app}\0${authorization}`).digest('base64');
    const known = this.#answers.get(key);
    const nowMs = this.#clock.nowMs();
    const ageMs = known ? Math.abs(nowMs - known.atMs) : Number.POSITIVE_INFINITY;
    if (known && ageMs < FRESH_MS) return known.isAllowed;
    let isAllowed: boolean;
    try {
      isAllowed = await this.#ask(app, authorization);
    } catch (error) {
      if (known && ageMs < KEPT_MS) return known.isAllowed;
      throw error;
    }
    this.#answers.delete(key);
    this.#answers.set(key, { isAllowed, atMs: nowMs });
    for (const [oldest] of this.#answers) {
      if (this.#answers.size <= MOST_KEPT) break;
      this.#answers.delete(oldest);
    }
    return isAllowed;
  }
}

/** The controller on this node. */
export function askController(baseUrl: string): AskController {
  return async (app, authorization) => {
    const path = app === undefined ? 'token' : `apps/${encodeURIComponent(app)}/log_access`;
    const response = await fetch(`${baseUrl}/internal/v1/${path}`, {
      headers: { authorization },
      signal: AbortSignal.timeout(5000),
    });
    await response.body?.cancel();
    if (response.ok) return true;
    if (response.status >= 500) throw new Error(`the controller answered HTTP ${response.status}`);
    return false;
  };
}
