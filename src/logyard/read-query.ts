import type { ReadQuery } from '../core/log-ring.ts';

export type ReadParameters = {
  readonly start_time?: string;
  readonly end_time?: string;
  readonly limit?: string;
  readonly descending?: string;
  readonly envelope_types?: string | readonly string[];
  readonly envelope_type?: string | readonly string[];
  readonly name_filter?: string;
};

const MAX_NS = 9_223_372_036_854_775_807n;
const MAX_LIMIT = 1000;
const DEFAULT_LIMIT = 100;
const TYPES = ['ANY', 'LOG', 'COUNTER', 'GAUGE', 'TIMER', 'EVENT'];

/** A query of the Log Cache API, or what is wrong with it. `wantsLogs` is false when only other envelopes are asked for. */
export function parseReadQuery(
  given: ReadParameters,
): { readonly query: ReadQuery; readonly wantsLogs: boolean } | { readonly fault: string } {
  const startNs = parseNs(given.start_time, -MAX_NS);
  if (startNs === undefined) return { fault: 'start_time must be whole nanoseconds since 1970' };
  const endNs = parseNs(given.end_time, MAX_NS);
  if (endNs === undefined) return { fault: 'end_time must be whole nanoseconds since 1970' };
  const limit = given.limit === undefined ? DEFAULT_LIMIT : Number(given.limit);
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > MAX_LIMIT) {
    return { fault: `limit must be a whole number from 1 to ${MAX_LIMIT}` };
  }
  const types = [given.envelope_types ?? [], given.envelope_type ?? []].flat().map((type) => type.toUpperCase());
  const unknown = types.find((type) => !TYPES.includes(type));
  if (unknown !== undefined) return { fault: `envelope_types: ${unknown} is none of ${TYPES.join(', ')}` };
  const isForLogs = types.length === 0 || types.includes('LOG') || types.includes('ANY');
  return {
    query: { startNs, endNs, limit, isDescending: given.descending === 'true' },
    // A name filter selects metrics; lines have no name.
    wantsLogs: isForLogs && given.name_filter === undefined,
  };
}

function parseNs(text: string | undefined, absent: bigint): bigint | undefined {
  if (text === undefined || text === '') return absent;
  return /^-?\d{1,19}$/.test(text) ? BigInt(text) : undefined;
}
