/** A time as the API writes it: RFC 3339, UTC, whole seconds. */
export function formatTime(at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z`;
}

/** The fields that every resource begins with. */
export function presentResource(row: { guid: string; created_at: Date; updated_at: Date }) {
  return { guid: row.guid, created_at: formatTime(row.created_at), updated_at: formatTime(row.updated_at) };
}
