import { STATUS_CODES } from 'node:http';
import Fastify, { type FastifyInstance } from 'fastify';
import { refuseBrokenRequest } from '../platform/broken-request.ts';
import { databaseTrouble } from '../platform/db.ts';
import { firstAdminRoutes } from './first-admin.ts';
import { infoRoutes } from './info-routes.ts';
import { OAuthError } from './oauth-error.ts';
import { oauthRoutes } from './oauth-routes.ts';
import { revocationRoutes } from './revocation-routes.ts';
import type { Aok } from './service.ts';
import { setupPasswordRoutes } from './setup-password.ts';
import { userRoutes } from './user-routes.ts';

const LONGEST_BODY = 65_536;

/** The login server's HTTP endpoints. */
export function buildServer(aok: Aok): FastifyInstance {
  const server = Fastify({
    logger: false,
    bodyLimit: LONGEST_BODY,
    clientErrorHandler: refuseBrokenRequest((detail) => ({ error: 'invalid_request', error_description: detail })),
    routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true },
    genReqId: () => aok.random.guid(),
  });
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) =>
    done(null, Object.fromEntries(new URLSearchParams(String(body)))),
  );
  // Some clients say JSON on every request, also where there is no body.
  server.addContentTypeParser(['application/json', 'text/json'], { parseAs: 'string' }, (_request, body, done) => {
    try {
      done(null, body === '' ? undefined : JSON.parse(String(body)));
    } catch (error) {
      done(new OAuthError(400, 'invalid_request', `The body is not JSON: ${(error as Error).message}`));
    }
  });
  server.addHook('onSend', async (request, reply) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    reply.header('x-vcap-request-id', request.id);
  });
  server.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    if (error instanceof OAuthError) {
      if (error.status === 401) reply.header('www-authenticate', challengeOf(error));
      return reply.status(error.status).send({ error: error.error, error_description: error.message });
    }
    const status = error.statusCode ?? 500;
    if (status < 500) return reply.status(status).send({ error: 'invalid_request', error_description: error.message });
    aok.log.error('failed-request', {
      requestId: request.id,
      method: request.method,
      route: request.routeOptions.url,
      error,
    });
    const trouble = databaseTrouble(error);
    if (trouble) {
      return reply.status(503).send({ error: 'temporarily_unavailable', error_description: trouble.says });
    }
    const description = `The login server failed; tell an administrator the request id ${request.id}`;
    return reply.status(500).send({ error: 'server_error', error_description: description });
  });
  server.setNotFoundHandler((_request, reply) =>
    reply.status(404).send({ error: 'not_found', error_description: STATUS_CODES[404] }),
  );
  infoRoutes(server, aok);
  oauthRoutes(server, aok);
  userRoutes(server, aok);
  firstAdminRoutes(server, aok);
  setupPasswordRoutes(server, aok);
  revocationRoutes(server, aok);
  return server;
}

function challengeOf(error: OAuthError): string {
  const scheme = error.error === 'invalid_client' ? 'Basic' : 'Bearer';
  return `${scheme} realm="UAA/${scheme === 'Basic' ? 'client' : 'oauth'}", error="${error.error}"`;
}
