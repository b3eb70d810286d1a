import { createLocalJWKSet, errors, jwtVerify, SignJWT } from 'jose';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import type { KeyRing } from './key-ring.ts';
import { hashSecret } from './known-clients.ts';
import { badToken } from './oauth-error.ts';
import { audienceOf } from './scopes.ts';
import type { User } from './store/users.ts';

/** Whom a new access token speaks for, and how that was proven. */
export type TokenSubject = {
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly grantType: string;
  /** Absent for a client that speaks for itself. */
  readonly user?: User;
  /** When the user proved who it is; epoch, ms. */
  readonly authTimeMs?: number;
};

export type AccessToken = { readonly token: string; readonly jti: string; readonly expiresInS: number };

/** The claims of a token of ours, verified. */
export type Claims = {
  readonly jti: string;
  readonly sub: string;
  readonly client_id: string;
  readonly user_id?: string;
  readonly user_name?: string;
  /** Tokens of an earlier one than the user's are revoked; absent is 0. */
  readonly token_generation?: number;
  readonly email?: string;
  readonly origin?: string;
  readonly scope: readonly string[];
  readonly aud: readonly string[];
  readonly exp: number;
  readonly iat: number;
  readonly [claim: string]: unknown;
};

/** Makes and verifies access tokens. */
export class Tokens {
  readonly #keys: KeyRing;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #lifeS: () => number;
  readonly issuer: string;

  constructor(options: { keys: KeyRing; clock: Clock; random: Random; lifeS: () => number; issuer: string }) {
    this.#keys = options.keys;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#lifeS = options.lifeS;
    this.issuer = options.issuer;
  }

  async issue(subject: TokenSubject): Promise<AccessToken> {
    const { clientId, scopes, user } = subject;
    const { kid, key } = await this.#keys.signing();
    const jti = this.#random.hex(16);
    const nowS = Math.floor(this.#clock.nowMs() / 1000);
    const lifeS = this.#lifeS();
    const token = await new SignJWT({
      jti,
      sub: user?.id ?? clientId,
      ...(user ? userClaims(user, subject.authTimeMs ?? nowS * 1000) : { authorities: scopes }),
      scope: scopes,
      client_id: clientId,
      cid: clientId,
      azp: clientId,
      grant_type: subject.grantType,
      rev_sig: hashSecret(`${user?.passwordHash ?? ''} ${clientId}`).slice(0, 8),
      revocable: false,
      zid: 'uaa',
      iss: this.issuer,
      aud: [...audienceOf(clientId, scopes)],
      iat: nowS,
      exp: nowS + lifeS,
    })
      .setProtectedHeader({ alg: 'RS256', kid, typ: 'JWT', jku: this.issuer.replace('/oauth/token', '/token_keys') })
      .sign(key);
    return { token, jti, expiresInS: lifeS - 1 };
  }

  /** @throws OAuthError 401 invalid_token */
  async verify(token: string): Promise<Claims> {
    const keys = createLocalJWKSet({ keys: [...(await this.#keys.publicKeys())] });
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: this.issuer,
        algorithms: ['RS256'],
        currentDate: new Date(this.#clock.nowMs()),
        requiredClaims: ['jti', 'client_id', 'scope'],
      });
      return payload as unknown as Claims;
    } catch (error) {
      if (error instanceof errors.JOSEError) throw badToken();
      throw error;
    }
  }
}

function userClaims(user: User, authTimeMs: number) {
  return {
    user_id: user.id,
    user_name: user.userName,
    email: user.email,
    origin: user.origin,
    token_generation: user.tokenGeneration,
    auth_time: Math.floor(authTimeMs / 1000),
  };
}
