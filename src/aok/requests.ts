import type { FastifyRequest } from 'fastify';
import type { Static, TSchema } from 'typebox';
import { DecodeError, decode } from '../contract/decode.ts';
import type { Db } from '../platform/db.ts';
import type { Form } from './grants.ts';
import { isSecretOf } from './known-clients.ts';
import { badClient, badToken, insufficientScope, noToken, OAuthError } from './oauth-error.ts';
import { type Client, findClient } from './store/clients.ts';
import { isRevoked } from './store/revocations.ts';
import type { AokSchema } from './store/schema.ts';
import type { Claims, Tokens } from './tokens.ts';

/** The fields of a form or JSON body, and of the query; the body wins. */
export function fieldsOf(request: FastifyRequest): Form {
  const fields: Record<string, string> = {};
  for (const source of [request.query, request.body]) {
    if (typeof source !== 'object' || source === null) continue;
    for (const [name, value] of Object.entries(source)) {
      if (typeof value === 'string') fields[name] = value;
    }
  }
  return fields;
}

/** A JSON body of the promised shape; throws OAuthError 400 naming the first fault. */
export function bodyOf<T extends TSchema>(schema: T, body: unknown): Static<T> {
  try {
    return decode(schema, body ?? {}, 'the body');
  } catch (error) {
    if (error instanceof DecodeError) throw new OAuthError(400, 'invalid_scim_resource', error.message);
    throw error;
  }
}

/**
 * Who the request's client is: from Basic authorization, or from `client_id` and `client_secret` in the body.
 *
 * @throws OAuthError 401 invalid_client
 */
export async function clientOf(request: FastifyRequest, db: Db<AokSchema>): Promise<Client> {
  const { id, secret } = clientCredentials(request);
  const client = await findClient(db, id);
  if (!client || !isSecretOf(client, secret)) throw badClient();
  return client;
}

function clientCredentials(request: FastifyRequest): { id: string; secret: string } {
  const [scheme = '', value = ''] = (request.headers.authorization ?? '').split(' ', 2);
  if (scheme.toLowerCase() === 'basic') {
    const text = Buffer.from(value, 'base64').toString('utf8');
    const colon = text.indexOf(':');
    if (colon < 0) throw badClient();
    return { id: decoded(text.slice(0, colon)), secret: decoded(text.slice(colon + 1)) };
  }
  const { client_id: id, client_secret: secret } = fieldsOf(request);
  if (!id) throw new OAuthError(401, 'invalid_client', 'No client authentication was sent');
  return { id, secret: secret ?? '' };
}

/** Basic credentials of OAuth clients are percent-encoded; a stray `%` means that this one's are not. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}

/** Verifies bearer tokens on our own endpoints. */
export class Bearers {
  readonly #tokens: Tokens;
  readonly #db: Db<AokSchema>;

  constructor(tokens: Tokens, db: Db<AokSchema>) {
    this.#tokens = tokens;
    this.#db = db;
  }

  /**
   * The claims of the request's bearer token, which must hold one of the scopes.
   *
   * @param anyOf no scope named = any token will do
   * @throws OAuthError 401, 403
   */
  async require(request: FastifyRequest, ...anyOf: readonly string[]): Promise<Claims> {
    const [scheme = '', token = ''] = (request.headers.authorization ?? '').split(' ', 2);
    if (scheme.toLowerCase() !== 'bearer' || token === '') throw noToken();
    const claims = await this.check(token);
    if (anyOf.length > 0 && !anyOf.some((scope) => claims.scope.includes(scope))) {
      throw insufficientScope(anyOf.join(' or '));
    }
    return claims;
  }

  /** @throws OAuthError 401 invalid_token, also for a revoked one */
  async check(token: string): Promise<Claims> {
    const claims = await this.#tokens.verify(token);
    const { jti, user_id: userId, token_generation: generation = 0 } = claims;
    if (await isRevoked(this.#db, { jti, userId, generation })) throw badToken();
    return claims;
  }
}
