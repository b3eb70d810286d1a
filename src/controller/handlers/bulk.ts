import type { Static } from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import type { BulkApp } from '../../contract/messages/health.ts';
import { ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { listProcessesAfter, type StatedProcess } from '../store/process.ts';

const DEFAULT_BATCH = 500;
const MAX_BATCH = 2000;

/** The desired state of every process, page by page, for the health manager. */
export const bulkRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/bulk/apps',
    summary: 'Walk over the desired state of all processes',
    permission: { kind: 'bulk' },
    query: { params: ['batch_size', 'bulk_token'] },
    handler: async ({ controller, query, raw }) => {
      const size = Number(query.values('batch_size')?.[0] ?? DEFAULT_BATCH);
      if (!Number.isSafeInteger(size) || size < 1) throw new PlatformError('BadQueryParameter', 'batch_size');
      const after = tokenOf(raw.url);
      const rows = await listProcessesAfter(controller.db, after, Math.min(size, MAX_BATCH));
      return ok({
        results: Object.fromEntries(rows.map((row) => [row.guid, present(row)])),
        bulk_token: { id: rows.at(-1)?.id ?? after },
      });
    },
  }),
];

function present(row: StatedProcess): Static<typeof BulkApp> {
  return {
    id: row.id,
    instances: row.instances,
    state: row.app_state,
    memory: row.memory_in_mb,
    package_state: row.droplet_guid === null ? 'PENDING' : 'STAGED',
    updated_at: row.updated_at.toISOString(),
    version: row.version,
  };
}

/** The token is JSON with commas in it, so it is read as it was sent. */
function tokenOf(url: string): number {
  const text = new URL(url, 'http://internal').searchParams.get('bulk_token') ?? '{}';
  try {
    const { id = 0 } = JSON.parse(text) as { id?: unknown };
    if (typeof id === 'number' && Number.isSafeInteger(id)) return id;
  } catch (error) {
    throw new PlatformError('BadQueryParameter', 'bulk_token', { cause: error });
  }
  throw new PlatformError('BadQueryParameter', 'bulk_token');
}
