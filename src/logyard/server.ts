import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { type ErrorName, errorDocument, errorTable, PlatformError } from '../contract/errors.ts';
import { refuseBrokenRequest } from '../platform/broken-request.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { Access, Reader } from './access.ts';
import { envelopeOf } from './envelope.ts';
import type { LogStore } from './log-store.ts';
import { parseReadQuery, type ReadParameters } from './read-query.ts';
import type { SharedLog } from './shared-log.ts';
import { streamLines } from './stream.ts';

export type ServerParts = {
  readonly store: LogStore;
  readonly shared: SharedLog;
  readonly access: Access;
  readonly clock: Clock;
  readonly log: Log;
};

/** Version of the Log Cache API that is spoken. */
const LOG_CACHE_VERSION = '2.12.1';
const MOST_RECENT = 1000;

type ReadRequest = FastifyRequest<{ Params: { id: string }; Querystring: ReadParameters }>;
type StreamRequest = FastifyRequest<{ Params: { id: string }; Querystring: { recent?: string } }>;

/** The Log Cache API and our own stream. */
export function logServer(parts: ServerParts): FastifyInstance {
  const startedMs = parts.clock.nowMs();
  const app = Fastify({
    logger: false,
    forceCloseConnections: true,
    clientErrorHandler: refuseBrokenRequest((detail) => errorDocument('BadRequest', `Bad request: ${detail}`)),
  });
  app.setErrorHandler((error, _request, reply) => answerError(parts, error as Error, reply));
  app.setNotFoundHandler((_request, reply) => answerError(parts, new PlatformError('NotFound'), reply));
  app.get('/api/v1/info', () => ({
    version: LOG_CACHE_VERSION,
    vm_uptime: String(Math.floor((parts.clock.nowMs() - startedMs) / 1000)),
  }));
  app.get('/api/v1/read/:id', (request: ReadRequest) => read(parts, request));
  app.get('/api/v1/meta', (request) => meta(parts, request));
  app.get('/stackato/v1/stream/:id', (request: StreamRequest, reply) => stream(parts, request, reply));
  return app;
}

async function read(parts: ServerParts, request: ReadRequest) {
  const { id } = request.params;
  await readerOf(parts, request, id);
  const parsed = parseReadQuery(request.query);
  if ('fault' in parsed) throw new PlatformError('BadQueryParameter', parsed.fault);
  const lines = parsed.wantsLogs ? await parts.shared.read(id, parsed.query) : [];
  return { envelopes: { batch: lines.map((line) => envelopeOf(id, line)) } };
}

async function meta(parts: ServerParts, request: FastifyRequest) {
  const reader = await readerOf(parts, request);
  const entries: Record<string, Record<string, string>> = {};
  for (const id of parts.store.apps()) {
    if (!(await parts.access.mayRead(reader, id))) continue;
    const ring = parts.store.ring(id);
    if (!ring) continue;
    entries[id] = {
      count: String(ring.size),
      expired: String(ring.expired),
      oldestTimestamp: String(ring.oldestNs),
      newestTimestamp: String(ring.newestNs),
    };
  }
  return { meta: entries };
}

async function stream(parts: ServerParts, request: StreamRequest, reply: FastifyReply): Promise<void> {
  const { id } = request.params;
  const reader = await readerOf(parts, request, id);
  const recent = Number(request.query.recent ?? 0);
  if (!Number.isSafeInteger(recent) || recent < 0) {
    throw new PlatformError('BadQueryParameter', 'recent must be a whole number of lines');
  }
  reply.hijack();
  reply.raw.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
  await streamLines(parts, {
    app: id,
    recent: () => (recent > 0 ? parts.shared.recent(id, Math.min(recent, MOST_RECENT)) : Promise.resolve([])),
    to: reply.raw,
    endsAtMs: reader.claims.expiresAtS * 1000,
    isAllowed: () =>
      parts.access.mayRead(reader, id).catch((error: unknown) => {
        parts.log.warn('failed-to-ask-controller', { app: id, error });
        return 'unknown' as const;
      }),
  });
}

/** Who asks; with an app, only someone who may read its log. What may not be seen does not exist. */
async function readerOf({ access }: ServerParts, request: FastifyRequest, app?: string): Promise<Reader> {
  const reader = await access.reader(request.headers.authorization);
  if (!reader) throw new PlatformError('InvalidAuthToken');
  if (app !== undefined && !(await access.mayRead(reader, app))) {
    throw new PlatformError('ResourceNotFound', 'App not found');
  }
  return reader;
}

function answerError({ log }: ServerParts, error: Error, reply: FastifyReply): FastifyReply {
  const kind: ErrorName = error instanceof PlatformError ? error.kind : 'ServerError';
  if (kind === 'ServerError') log.error('failed-request', { error });
  const detail = kind === 'ServerError' ? 'The log can not be read at present; try again in a moment' : error.message;
  return reply.code(errorTable[kind].status).send(errorDocument(kind, detail));
}
