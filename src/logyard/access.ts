import { createHash } from 'node:crypto';
import type { Clock } from '../platform/clock.ts';
import type { TokenClaims, TokenVerifier } from '../platform/token-verifier.ts';

/** Who asks, once their token was found to be good. */
export type Reader = { readonly claims: TokenClaims; readonly authorization: string };

/** Asks the controller whether the holder of a token may read the log of an app. */
export type AskController = (app: string, authorization: string) => Promise<boolean>;

const KEPT_MS = 30_000;
const MOST_KEPT = 10_000;

/** Decides who may read what, as the controller sees it; its answers hold for half a minute. */
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
    if (this.isAdmin(reader)) return true;
    const key = createHash('sha256').update(`${app}\0${reader.authorization}`).digest('base64');
    const known = this.#answers.get(key);
    const nowMs = this.#clock.nowMs();
    if (known && nowMs - known.atMs < KEPT_MS) return known.isAllowed;
    const isAllowed = await this.#ask(app, reader.authorization);
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
    const response = await fetch(`${baseUrl}/internal/v1/apps/${encodeURIComponent(app)}/log_access`, {
      headers: { authorization },
      signal: AbortSignal.timeout(5000),
    });
    await response.body?.cancel();
    if (response.ok) return true;
    if (response.status >= 500) throw new Error(`the controller answered HTTP ${response.status}`);
    return false;
  };
}
