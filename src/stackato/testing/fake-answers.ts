export type Row = Record<string, unknown> & { guid: string };
export type Answer = { status?: number; body?: unknown; headers?: Record<string, string>; raw?: string };
/** `atNs` as the line is dated; default: now. */
export type FakeLine = { source: string; instance?: string; type?: 'OUT' | 'ERR'; text: string; atNs?: string };

export function fault(status: number, code: number, title: string, detail: string): Answer {
  return { status, body: { errors: [{ code, title, detail }] } };
}

export function list(resources: readonly unknown[]): Answer {
  return { body: { pagination: { total_results: resources.length, total_pages: 1, next: null }, resources } };
}

export function named(url: URL, rows: readonly Row[]): readonly Row[] {
  const names = url.searchParams.get('names');
  return names === null ? rows : rows.filter(({ name }) => name === decodeURIComponent(names));
}

export function streamed({ atNs, source, instance = '0', type = 'OUT', text }: FakeLine & { atNs: string }) {
  return { timestamp: atNs, source, instance, type, text };
}

export function instance(process: Row, index: number, state: string): Row {
  return {
    guid: '',
    type: process.type,
    index,
    state,
    uptime: 3,
    mem_quota: Number(process.memory_in_mb) * 1_048_576,
    disk_quota: Number(process.disk_in_mb) * 1_048_576,
    details: null,
    usage: { cpu: 0.01, mem: 10_485_760, disk: 2_097_152 },
  };
}
