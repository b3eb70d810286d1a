import type { FastifyInstance } from 'fastify';
import { badClient, badToken, insufficientScope, OAuthError } from './oauth-error.ts';
import { clientOf, fieldsOf } from './requests.ts';
import type { Aok } from './service.ts';
import { findClient } from './store/clients.ts';
import { revokeTokensOf } from './store/revocations.ts';
import { revokeAccessToken } from './store/sessions.ts';
import { findUser } from './store/users.ts';
import { endOfTokensMs, getUser } from './user-routes.ts';

/** A verifier's clock may be so far behind. */
const CLOCKS_APART_MS = 300_000;

/** Tokens: getting, checking and revoking them. */
export function oauthRoutes(server: FastifyInstance, aok: Aok): void {
  const { db, bearers } = aok;

  server.post('/oauth/token', async (request) => aok.grants.grant(await clientOf(request, db), fieldsOf(request)));

  server.get('/oauth/authorize', async (request, reply) => {
    const claims = await bearers.require(request);
    const fields = fieldsOf(request);
    const client = await findClient(db, fields.client_id ?? '');
    if (!client) throw badClient();
    if (fields.response_type !== 'code') {
      throw new OAuthError(400, 'unsupported_response_type', 'Only response_type=code is offered');
    }
    if (!client.grantTypes.includes('authorization_code') || !client.autoapprove) {
      throw new OAuthError(401, 'invalid_client', 'This client may not ask for a code');
    }
    const redirectUri = redirectOf(client.redirectUris, fields.redirect_uri);
    const user = await findUser(db, [[{ field: 'id', value: claims.user_id ?? '' }]]);
    if (!user?.isActive || user.tokenGeneration !== (claims.token_generation ?? 0)) throw badToken();
    const target = new URL(redirectUri);
    target.searchParams.set('code', await aok.grants.authorize(client, user, redirectUri));
    if (fields.state !== undefined) target.searchParams.set('state', fields.state);
    return reply.redirect(target.href, 302);
  });

  server.post('/check_token', async (request) => {
    const client = await clientOf(request, db);
    if (!client.authorities.includes('uaa.resource')) throw insufficientScope('uaa.resource');
    try {
      return await bearers.check(fieldsOf(request).token ?? '');
    } catch (error) {
      if (error instanceof OAuthError) throw new OAuthError(400, error.error, error.message);
      throw error;
    }
  });

  server.get('/userinfo', async (request) => {
    const claims = await bearers.require(request, 'openid');
    const user = await findUser(db, [[{ field: 'id', value: claims.user_id ?? '' }]]);
    if (!user) throw badToken();
    return {
      user_id: user.id,
      sub: user.id,
      user_name: user.userName,
      given_name: user.givenName,
      family_name: user.familyName,
      email: user.email,
      name: `${user.givenName} ${user.familyName}`.trim(),
      previous_logon_time: user.lastLoginAtMs,
    };
  });

  server.delete<{ Params: { jti: string } }>('/oauth/token/revoke/:jti', async (request) => {
    const claims = await bearers.require(request);
    const { jti } = request.params;
    if (jti !== claims.jti && !claims.scope.includes('uaa.admin')) throw insufficientScope('uaa.admin');
    const expiresAtMs = jti === claims.jti ? claims.exp * 1000 + CLOCKS_APART_MS : endOfTokensMs(aok);
    await revokeAccessToken(db, { jti, expiresAtMs });
    return {};
  });

  server.get<{ Params: { id: string } }>('/oauth/token/revoke/user/:id', async (request) => {
    const claims = await bearers.require(request);
    if (request.params.id !== claims.user_id && !claims.scope.includes('uaa.admin'))
      throw insufficientScope('uaa.admin');
    const { id } = await getUser(aok, request.params.id);
    await db.transaction().execute((tx) => revokeTokensOf(tx, id, endOfTokensMs(aok)));
    return {};
  });

  server.get<{ Params: { id: string } }>('/oauth/clients/:id', async (request) => {
    await bearers.require(request, 'clients.read', 'clients.admin', 'uaa.admin');
    const client = await findClient(db, request.params.id);
    if (!client) throw new OAuthError(404, 'not_found', `No client with requested id: ${request.params.id}`);
    return {
      client_id: client.id,
      scope: client.scopes,
      authorities: client.authorities,
      authorized_grant_types: client.grantTypes,
      redirect_uri: client.redirectUris,
      autoapprove: client.autoapprove,
    };
  });
}

/** The redirect asked for must be registered; one to this machine itself matches in any port and path. */
function redirectOf(registered: readonly string[], wanted: string | undefined): string {
  if (wanted === undefined && registered[0] !== undefined) return registered[0];
  const isLocal = (text: string) => URL.canParse(text) && ['localhost', '127.0.0.1'].includes(new URL(text).hostname);
  const isAllowed = registered.some((uri) => uri === wanted || (isLocal(uri) && isLocal(wanted ?? '')));
  if (wanted === undefined || !isAllowed) {
    throw new OAuthError(400, 'invalid_request', 'The redirect_uri is not registered for this client');
  }
  return wanted;
}
