import type { Static } from 'typebox';
import type { Bus } from '../bus/bus.ts';
import type { LogPeerLines } from '../contract/messages/log.ts';
import { subjects } from '../contract/subjects.ts';
import type { KeptLine, ReadQuery } from '../core/log-ring.ts';

type Page = Static<typeof LogPeerLines>;

/** A message of the bus holds 1 MB. */
const PAGE_BYTES = 600_000;
const TIMEOUT_MS = 2000;
const MOST_PAGES = 1000;

/** As many of these lines as one message can carry. */
export function pageOf(lines: readonly KeptLine[]): Page {
  const tags: KeptLine['tags'][] = [];
  const numbers = new Map<KeptLine['tags'], number>();
  const page: Page['lines'] = [];
  let bytes = 0;
  for (const { atNs, source, instance, type, text, tags: own } of lines) {
    const number = numbers.get(own) ?? tags.length;
    const line = { at: String(atNs), source, instance, type, text, tags: number };
    const added = Buffer.byteLength(JSON.stringify(line)) + (numbers.has(own) ? 0 : JSON.stringify(own).length * 2);
    if (page.length > 0 && bytes + added > PAGE_BYTES) return { tags: [...tags], lines: page, more: true };
    bytes += added;
    if (!numbers.has(own)) numbers.set(own, tags.push(own) - 1);
    page.push(line);
  }
  return { tags: [...tags], lines: page, more: false };
}

/** Reads an app's lines at another log server; undefined when it does not answer. */
export async function readPeer(
  bus: Bus,
  peer: string,
  wanted: { app: string; query: ReadQuery },
): Promise<KeptLine[] | undefined> {
  const { app, query } = wanted;
  const { isDescending: descending } = query;
  let { startNs, endNs } = query;
  const found: KeptLine[] = [];
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const request = { app, start: String(startNs), end: String(endNs), limit: query.limit - found.length, descending };
    const [page] = await bus.request(subjects.logyardPeerRead, [peer], request, { timeoutMs: TIMEOUT_MS });
    if (page === undefined) return undefined;
    for (const line of linesOf(page)) found.push(line);
    const last = found.at(-1);
    if (!page.more || last === undefined || found.length >= query.limit) return found;
    if (descending) endNs = last.atNs;
    else startNs = last.atNs + 1n;
  }
  return found;
}

function linesOf({ tags, lines }: Page): KeptLine[] {
  return lines.map(({ at, tags: number, ...rest }) => ({ ...rest, atNs: BigInt(at), tags: tags[number] ?? {} }));
}
