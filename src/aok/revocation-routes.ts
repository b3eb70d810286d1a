import type { FastifyInstance } from 'fastify';
import { isSignedPath } from '../platform/secret-box.ts';
import { noToken } from './oauth-error.ts';
import type { Aok } from './service.ts';
import { listRevocations } from './store/revocations.ts';

/** For whoever holds the cluster's signing key: which tokens are refused although published keys verify them, and a new key for tokens. */
export function revocationRoutes(server: FastifyInstance, { db, clock, signingKey, keys, log }: Aok): void {
  server.get('/internal/v1/revocations', async (request) => {
    if (!isSignedPath(signingKey, request.method, request.url, clock.nowMs())) throw noToken();
    return listRevocations(db, clock.nowMs());
  });
  // Tokens that an earlier key signed are good until they end; log out their users to end them at once.
  server.post('/internal/v1/signing_key', async (request) => {
    if (!isSignedPath(signingKey, request.method, request.url, clock.nowMs())) throw noToken();
    await keys.rotate();
    const { kid } = await keys.signing();
    log.info('rotated-signing-key', { kid });
    return { kid };
  });
}
