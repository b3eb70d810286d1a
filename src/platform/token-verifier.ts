import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import type { Revocations } from './revocations.ts';

/** Who a bearer token speaks for. */
export type TokenClaims = {
  readonly userGuid: string;
  /** Undefined for a token of an OAuth client without a user. */
  readonly userName: string | undefined;
  readonly email: string | undefined;
  readonly origin: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** Epoch s. */
  readonly expiresAtS: number;
};

/** Verifies access tokens of the login server against its published keys, which are fetched when first needed. */
export type TokenVerifier = (authorization: string | undefined) => Promise<TokenClaims | 'missing' | 'invalid'>;

/**
 * @param keysUrl the login server's `/token_keys`
 * @param revocations what of them was revoked; without, a token is good until it expires
 * @returns a verifier of whole `Authorization` headers; it throws only when the keys, or for too long the revocations, can't be fetched
 */
export function tokenVerifier(keysUrl: string, revocations?: Pick<Revocations, 'isRevoked'>): TokenVerifier {
  const keys = createRemoteJWKSet(new URL(keysUrl), { cooldownDuration: 5000, timeoutDuration: 5000 });
  return async (authorization) => {
    if (authorization === undefined) return 'missing';
    const [scheme = '', token = ''] = authorization.split(' ', 2);
    if (scheme.toLowerCase() !== 'bearer' || token === '') return 'invalid';
    try {
      const { payload } = await jwtVerify(token, keys, { audience: 'cloud_controller', algorithms: ['RS256'] });
      const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
      if (text(payload.token_use) === 'refresh') return 'invalid';
      const userGuid = text(payload.user_id) ?? text(payload.sub) ?? '';
      const generation = typeof payload.token_generation === 'number' ? payload.token_generation : 0;
      const issued = { id: payload.jti ?? '', userId: text(payload.user_id), generation };
      if (await revocations?.isRevoked(issued)) return 'invalid';
      return {
        userGuid,
        userName: text(payload.user_name),
        email: text(payload.email),
        origin: text(payload.origin) ?? 'uaa',
        clientId: text(payload.client_id) ?? '',
        scopes: Array.isArray(payload.scope) ? payload.scope.map(String) : [],
        expiresAtS: payload.exp ?? 0,
      };
    } catch (error) {
      if (error instanceof errors.JWKSTimeout || isNoAnswer(error)) throw error;
      if (error instanceof errors.JOSEError) return 'invalid';
      throw error;
    }
  };
}

/** An answer of the keys' address that is none: another status, or no JSON. It says nothing of the token. */
function isNoAnswer(error: unknown): boolean {
  return error instanceof errors.JOSEError && error.code === errors.JOSEError.code;
}
