import multipart from '@fastify/multipart';
import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { PlatformError } from '../../contract/errors.ts';
import { refuseBrokenRequest } from '../../platform/broken-request.ts';
import { Authentication } from './authentication.ts';
import { authorize } from './authorization.ts';
import { originOf } from './base-url.ts';
import { acceptBodies } from './body.ts';
import type { Caller } from './caller.ts';
import { type ConsoleFiles, serveConsole } from './console-files.ts';
import type { Controller } from './controller.ts';
import { answerError, brokenRequest } from './errors.ts';
import { operationSchema } from './openapi.ts';
import { parseQuery } from './query.ts';
import type { ApiRequest, Permission, Route } from './route.ts';
import { bodyValidator } from './validation.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    route?: Route;
  }
  interface FastifyRequest {
    caller?: Caller;
  }
}

const JSON_LIMIT_BYTES = 4 * 1024 * 1024;
const NOBODY: Caller = {
  userGuid: '',
  userName: undefined,
  email: undefined,
  origin: '',
  scopes: [],
  powers: [],
  isAdmin: false,
  actor: { guid: '', type: 'system', name: '' },
};

/** The API's HTTP server with these routes, and the console when its files are given; not yet listening. */
export async function buildServer(
  controller: Controller,
  routes: readonly Route[],
  files?: ConsoleFiles,
): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    bodyLimit: JSON_LIMIT_BYTES,
    requestTimeout: 0,
    clientErrorHandler: refuseBrokenRequest(brokenRequest),
    genReqId: (request) => requestId(request.headers['x-vcap-request-id'], controller),
    rewriteUrl: (request) => normalizeUrl(request.url ?? '/'),
    frameworkErrors: (error, request, reply) => void sendError(controller, error, { request, reply }),
  });
  app.setValidatorCompiler(() => () => true);
  app.setSerializerCompiler(() => (value) => JSON.stringify(value));
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-vcap-request-id', request.id);
    done();
  });
  app.setErrorHandler((error, request, reply) => sendError(controller, error, { request, reply }));
  app.setNotFoundHandler((request, reply) => sendError(controller, new PlatformError('NotFound'), { request, reply }));
  acceptBodies(app);
  await app.register(multipart, {
    limits: { files: 1, parts: 20, fieldSize: 64 * 1024 * 1024 },
  });
  await app.register(swagger, {
    openapi: {
      info: { title: 'Stackato', version: '1', description: 'The Cloud Foundry v3 API and what this platform adds.' },
      components: { securitySchemes: { bearer: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } } },
    },
  });
  if (files) await serveConsole(app, files);
  const authentication = new Authentication(controller);
  for (const route of routes) addRoute(app, route, { controller, authentication });
  app.get('/stackato/v1/openapi.json', { schema: { hide: true } }, () => app.swagger());
  return app;
}

type Services = { readonly controller: Controller; readonly authentication: Authentication };

function addRoute(app: FastifyInstance, route: Route, services: Services): void {
  const validate = route.body && route.bodyKind !== 'stream' ? bodyValidator(route.body) : undefined;
  app.route({
    method: route.method,
    url: route.path,
    schema: operationSchema(route),
    config: { route },
    bodyLimit: route.bodyLimit ?? JSON_LIMIT_BYTES,
    onRequest: async (request) => {
      request.caller = await identify(request, route.permission, services.authentication);
    },
    handler: async (request, reply) => {
      const query = parseQuery(route.query ?? {}, request.url);
      validate?.(request.body);
      const { caller = NOBODY } = request;
      const params = request.params as Record<string, string>;
      const scope = await permit(services.controller, caller, { route, params, body: request.body });
      const warnings: string[] = [];
      const answer = await route.handler({
        controller: services.controller,
        params,
        query,
        body: request.body,
        caller,
        baseUrl: originOf(request.headers, services.controller.config.cluster.domain).origin,
        scope,
        requestId: request.id,
        warn: (text) => void warnings.push(encodeURIComponent(text)),
        raw: request,
      } satisfies ApiRequest);
      if (warnings.length > 0) void reply.header('x-cf-warnings', warnings.join(','));
      if (answer.headers) void reply.headers(answer.headers);
      void reply.code(answer.status);
      if (answer.contentType) void reply.type(answer.contentType);
      else if (answer.body !== undefined) void reply.type('application/json; charset=utf-8');
      return reply.send(answer.body);
    },
  });
}

async function identify(
  request: FastifyRequest,
  permission: Permission,
  authentication: Authentication,
): Promise<Caller> {
  const { authorization } = request.headers;
  if (permission.kind === 'public') return NOBODY;
  if (permission.kind === 'signed') {
    authentication.signed(request.method, request.originalUrl);
    return NOBODY;
  }
  if (permission.kind === 'bulk') {
    authentication.bulk(authorization);
    return NOBODY;
  }
  const caller = await authentication.bearer(authorization, request.method);
  const isReader = caller.powers.length > 0;
  if (permission.kind === 'admin' && !caller.isAdmin) throw new PlatformError('NotAuthorized');
  if (permission.kind === 'global-read' && !isReader) throw new PlatformError('NotAuthorized');
  return caller;
}

async function permit(
  controller: Controller,
  caller: Caller,
  asked: { route: Route; params: Readonly<Record<string, string>>; body: unknown },
) {
  const { permission } = asked.route;
  if (permission.kind === 'resource') {
    const guid = asked.params[permission.param ?? 'guid'] ?? '';
    return authorize(controller, caller, { of: permission.of, guid, may: permission.may });
  }
  if (permission.kind === 'related') {
    const guid = guidAt(asked.body, permission.at);
    const thing = permission.of;
    const invalid =
      permission.invalid ?? `Invalid ${thing}. Ensure that the ${thing} exists and you have access to it.`;
    return authorize(controller, caller, { of: thing, guid, may: permission.may, invalid });
  }
  return {};
}

/** The guid at `relationships.space` (its `data.guid`) or `package` (its `guid`) of a body. */
function guidAt(body: unknown, path: string): string {
  let value: unknown = body;
  const at = (key: string) =>
    typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[key] : undefined;
  for (const key of path.split('.')) value = at(key);
  value = at('data') ?? value;
  const guid = at('guid');
  return typeof guid === 'string' ? guid : '';
}

function requestId(inbound: string | string[] | undefined, controller: Controller): string {
  const given = typeof inbound === 'string' && /^[\w.:-]{1,200}$/.test(inbound) ? `${inbound}::` : '';
  return `${given}${controller.random.guid()}`;
}

/** Double slashes become one, a slash at the end of the path is dropped. */
export function normalizeUrl(url: string): string {
  const [path = '/', ...query] = url.split('?');
  const clean = path.replace(/\/{2,}/g, '/').replace(/(.)\/$/, '$1');
  return [clean, ...query].join('?');
}

function sendError(
  controller: Controller,
  error: unknown,
  where: { request: FastifyRequest; reply: FastifyReply },
): FastifyReply {
  const { request, reply } = where;
  const answer = answerError(error, request.id);
  if (answer.isBug) {
    const { method, routeOptions, id } = request;
    controller.log.error('failed-request', { requestId: id, method, path: routeOptions?.url, error });
  }
  if (answer.retryAfterS !== undefined) reply.header('retry-after', String(answer.retryAfterS));
  return reply.code(answer.status).type('application/json; charset=utf-8').send(answer.body);
}
