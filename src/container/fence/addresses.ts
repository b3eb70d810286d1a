import { BlockList, isIPv4 } from 'node:net';

/** A range of IPv4 addresses, both ends included, as numbers. */
export type AddressRange = { readonly first: number; readonly last: number };

export function addressNumber(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
}

export function addressText(number: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join('.');
}

/**
 * Reads `10.0.0.0/8`, `10.0.0.1` or `10.0.0.1-10.0.0.9`.
 *
 * @returns undefined when it is none of these
 */
export function parseRange(text: string): AddressRange | undefined {
  const [first = '', last] = text.split('-', 2).map((part) => part.trim());
  if (last !== undefined) {
    if (!isIPv4(first) || !isIPv4(last) || addressNumber(last) < addressNumber(first)) return undefined;
    return { first: addressNumber(first), last: addressNumber(last) };
  }
  const [address = '', bits = '32'] = first.split('/', 2);
  if (!isIPv4(address) || !/^\d{1,2}$/.test(bits) || Number(bits) > 32) return undefined;
  const size = 2 ** (32 - Number(bits));
  const start = Math.floor(addressNumber(address) / size) * size;
  return { first: start, last: start + size - 1 };
}

/** A range as nftables writes it. */
export function formatRange({ first, last }: AddressRange): string {
  return first === last ? addressText(first) : `${addressText(first)}-${addressText(last)}`;
}

/** One pool's part of something that several engines share: the stager has the last quarter, a pool of its own name all. */
export function shareOf<R extends { readonly first: number; readonly last: number }>(range: R, pool: string): R {
  const quarter = Math.floor((range.last - range.first + 1) / 4);
  if (pool === 'dea') return { ...range, last: range.last - quarter };
  if (pool === 'stager') return { ...range, first: range.last - quarter + 1 };
  return range;
}

/** Ranges sorted, and merged where they touch, as a set without overlaps wants them. */
export function mergeRanges(ranges: readonly AddressRange[]): AddressRange[] {
  const merged: { first: number; last: number }[] = [];
  for (const range of [...ranges].sort((a, b) => a.first - b.first)) {
    const before = merged.at(-1);
    if (before && range.first <= before.last + 1) before.last = Math.max(before.last, range.last);
    else merged.push({ ...range });
  }
  return merged;
}

/** Is this an address of the machine itself that nobody else can reach? */
export function isLoopback(address: string): boolean {
  const loopback = new BlockList();
  loopback.addSubnet('127.0.0.0', 8);
  return isIPv4(address) ? loopback.check(address) : address === '::1';
}
