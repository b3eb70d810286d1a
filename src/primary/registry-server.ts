import { chmod, mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import type { TSchema } from 'typebox';
import Type, { type Static } from 'typebox';
import { DecodeError, decode } from '../contract/decode.ts';
import { JoinRequest, NodeChange } from '../contract/registry.ts';
import { isMissing } from '../platform/files.ts';
import type { Log } from '../platform/log.ts';
import type { Registry } from './registry.ts';

const LONGEST_BODY = 65_536;
const TokenRequest = Type.Object({
  lifeS: Type.Integer({ minimum: 60, maximum: 2_592_000, default: 3600 }),
  uses: Type.Integer({ minimum: 1, maximum: 1000, default: 1 }),
});

/**
 * The registry over HTTP, on a socket that only the node's links and root reach. The links say who asks: `X-Node` holds
 * the id from a node's certificate; the join port's requests have `X-Joining`; kato on the Core itself has neither.
 */
export function buildRegistryServer(registry: Registry, log: Log, releasePath: string): FastifyInstance {
  const server = Fastify({ logger: false, bodyLimit: LONGEST_BODY });
  server.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    if (error instanceof DecodeError) return reply.status(400).send({ error: error.message });
    const status = error.statusCode ?? 500;
    if (status < 500) return reply.status(status).send({ error: error.message });
    log.error('failed-request', { route: request.routeOptions.url, error });
    return reply.status(500).send({ error: 'the node registry failed', next: 'read primary.log on the Core node' });
  });
  server.post('/v1/join', (request, reply) => answer(reply, registry.join(bodyOf(JoinRequest, request))));
  server.post('/v1/node', (request, reply) =>
    answer(reply, registry.change(nodeOf(request), bodyOf(NodeChange, request))),
  );
  server.delete('/v1/node', (request, reply) => answer(reply, registry.remove(nodeOf(request))));
  server.post('/v1/node/renew', (request, reply) => answer(reply, registry.renew(nodeOf(request))));
  server.get('/v1/topology', () => registry.topology());
  server.get('/v1/release', async (request, reply) => {
    nodeOf(request);
    try {
      const file = await open(releasePath);
      const { size } = await file.stat();
      return reply.header('content-length', size).type('application/gzip').send(file.createReadStream());
    } catch (error) {
      if (isMissing(error)) throw refused(404, 'no upgrade is under way');
      throw error;
    }
  });
  server.post('/v1/tokens', async (request) => {
    requireCore(request);
    return { token: await registry.makeToken(bodyOf(TokenRequest, request)) };
  });
  server.delete<{ Params: { id: string } }>('/v1/nodes/:id', (request, reply) => {
    requireCore(request);
    return answer(reply, registry.remove(request.params.id));
  });
  server.post<{ Params: { id: string } }>('/v1/nodes/:id/renew', (request, reply) => {
    requireCore(request);
    return answer(reply, registry.renew(request.params.id));
  });
  server.post<{ Params: { id: string } }>('/v1/nodes/:id', (request, reply) => {
    requireCore(request);
    return answer(reply, registry.change(request.params.id, bodyOf(NodeChange, request)));
  });
  return server;
}

/** Listens on the socket; the one of a predecessor is taken away. */
export async function listenOnSocket(server: FastifyInstance, path: string): Promise<() => Promise<void>> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await rm(path, { force: true });
  await server.listen({ path });
  await chmod(path, 0o600);
  return () => server.close();
}

type Reply = { status: (code: number) => { send: (body: unknown) => unknown } };

async function answer(reply: Reply, outcome: Promise<object>): Promise<unknown> {
  const value = await outcome;
  if (!('refused' in value)) return value;
  const { refused, next } = value as { refused: string; next: string };
  return reply.status(409).send({ error: refused, next });
}

function bodyOf<T extends TSchema>(schema: T, request: FastifyRequest): Static<T> {
  return decode(schema, request.body ?? {}, 'request');
}

function nodeOf(request: FastifyRequest): string {
  const id = request.headers['x-node'];
  if (typeof id !== 'string' || !/^[0-9a-f]{32}$/.test(id)) throw refused(403, 'this needs the certificate of a node');
  return id;
}

function requireCore(request: FastifyRequest): void {
  const { 'x-node': node, 'x-joining': joining } = request.headers;
  if (node !== undefined || joining !== undefined) throw refused(403, 'only kato on the Core node may do this');
}

function refused(statusCode: number, message: string): Error {
  return Object.assign(new Error(message), { statusCode });
}
