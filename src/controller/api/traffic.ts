import type { FastifyInstance } from 'fastify';

/** Requests of this process since its start, as status pages show them. */
export type Traffic = {
  readonly requests: { outstanding: number; completed: number };
  /** Completed requests by status. */
  readonly http_status: Record<string, number>;
};

/** Counts a server's requests; call it before the server listens. */
export function measureTraffic(server: FastifyInstance): Traffic {
  const traffic: Traffic = { requests: { outstanding: 0, completed: 0 }, http_status: {} };
  server.addHook('onRequest', (_request, reply, done) => {
    traffic.requests.outstanding += 1;
    // Also fires for a client that went away, when no response is ever sent.
    reply.raw.once('close', () => {
      traffic.requests.outstanding -= 1;
      traffic.requests.completed += 1;
      const { statusCode } = reply.raw;
      traffic.http_status[statusCode] = (traffic.http_status[statusCode] ?? 0) + 1;
    });
    done();
  });
  return traffic;
}
