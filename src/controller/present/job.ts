import { presentResource } from '../api/timestamp.ts';
import type { JobRow } from '../store/job.ts';

/** A job as the API answers it. */
export function presentJob(row: JobRow, baseUrl: string) {
  const link = row.resource_type && row.resource_guid;
  const name = row.resource_type?.replace(/s$/, '') ?? '';
  return {
    ...presentResource(row),
    operation: row.operation,
    state: row.state,
    errors: row.errors,
    warnings: row.warnings,
    links: {
      self: { href: `${baseUrl}/v3/jobs/${row.guid}` },
      ...(link ? { [name]: { href: `${baseUrl}/v3/${row.resource_type}/${row.resource_guid}` } } : {}),
    },
  };
}
