import type { FastifyInstance } from 'fastify';
import { isSignedPath } from '../platform/secret-box.ts';
import { noToken } from './oauth-error.ts';
import type { Aok } from './service.ts';
import { listRevocations } from './store/revocations.ts';

/** Tells whoever verifies tokens by the published keys, and holds the cluster's signing key, which of them are refused. */
export function revocationRoutes(server: FastifyInstance, { db, clock, signingKey }: Aok): void {
  server.get('/internal/v1/revocations', async (request) => {
    if (!isSignedPath(signingKey, request.method, request.url, clock.nowMs())) throw noToken();
    return listRevocations(db, clock.nowMs());
  });
}
