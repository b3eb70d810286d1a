/** What is asked on the local network: RFC 6762, section 5. */
export type Question = { readonly name: string; readonly type: string };

/** The parts of a record that matter here. */
export type HeardRecord = {
  readonly name: string;
  readonly type: string;
  readonly ttl?: number | undefined;
  readonly data?: unknown;
};

export type AddressRecord = {
  readonly type: 'A';
  readonly name: string;
  readonly ttl: number;
  readonly class: 'IN';
  readonly flush: boolean;
  readonly data: string;
};

/** Says that a name has no records but these. */
export type NothingElseRecord = {
  readonly type: 'NSEC';
  readonly name: string;
  readonly ttl: number;
  readonly class: 'IN';
  readonly flush: boolean;
  readonly data: { readonly nextDomain: string; readonly rrtypes: string[] };
};

/** Life of a host's records (s), as the RFC recommends; and the longest that plain DNS clients are told. */
export const HOST_TTL_S = 120;
const LEGACY_TTL_S = 10;

export function addressRecord(name: string, address: string, ttl: number = HOST_TTL_S, flush = true): AddressRecord {
  return { type: 'A', name, ttl, class: 'IN', flush, data: address };
}

export type Reply = {
  readonly answers: (AddressRecord | NothingElseRecord)[];
  readonly additionals: NothingElseRecord[];
};

/**
 * The answer to a query as seen on an interface with this address, or undefined when there is none to give.
 *
 * @param query `isLegacy`: from a client that knows plain DNS only; `known`: what the asker already has
 */
export function answerTo(
  query: {
    readonly questions: readonly Question[];
    readonly known: readonly HeardRecord[];
    readonly isLegacy: boolean;
  },
  mine: { readonly has: (name: string) => boolean; readonly address: string },
): Reply | undefined {
  const ttl = query.isLegacy ? LEGACY_TTL_S : HOST_TTL_S;
  const answers = new Map<string, AddressRecord | NothingElseRecord>();
  const additionals = new Map<string, NothingElseRecord>();
  for (const { name: asked, type } of query.questions) {
    const name = asked.toLowerCase();
    if (!mine.has(name)) continue;
    const nothingElse = nothingElseRecord(name, ttl, !query.isLegacy);
    if (type === 'A' || type === 'ANY') {
      if (isKnown(query.known, name, mine.address)) continue;
      answers.set(name, addressRecord(name, mine.address, ttl, !query.isLegacy));
      additionals.set(name, nothingElse);
    } else if (!answers.has(name)) answers.set(name, nothingElse);
  }
  return answers.size === 0 ? undefined : { answers: [...answers.values()], additionals: [...additionals.values()] };
}

/** Addresses that others claim for a name, all of ours apart. */
export function rivalsFor(name: string, heard: readonly HeardRecord[], ours: readonly string[]): string[] {
  return heard
    .filter((one) => one.name.toLowerCase() === name && one.type === 'A' && one.ttl !== 0)
    .map(({ data }) => String(data))
    .filter((address) => !ours.includes(address));
}

/** Do we give way to another host that asks for a name at the same time as we? The numerically later address wins. */
export function givesWay(ours: string, theirs: readonly string[]): boolean {
  const [mine, others] = [numberOf(ours), theirs.map(numberOf)];
  return others.some((other) => other > mine);
}

/** Is the address in the network of this interface? */
export function isOnLink(address: string, face: { readonly address: string; readonly netmask: string }): boolean {
  const mask = numberOf(face.netmask);
  return (numberOf(address) & mask) === (numberOf(face.address) & mask);
}

function numberOf(address: string): bigint {
  return address.split('.').reduce((sum, part) => sum * 256n + BigInt(Number.parseInt(part, 10) || 0), 0n);
}

function isKnown(known: readonly HeardRecord[], name: string, address: string): boolean {
  return known.some(
    (one) =>
      one.type === 'A' && one.name.toLowerCase() === name && one.data === address && (one.ttl ?? 0) >= HOST_TTL_S / 2,
  );
}

function nothingElseRecord(name: string, ttl: number, flush: boolean): NothingElseRecord {
  return { type: 'NSEC', name, ttl, class: 'IN', flush, data: { nextDomain: name, rrtypes: ['A'] } };
}
