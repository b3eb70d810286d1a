import type { KeptLine } from './log-ring.ts';

/** Two log servers that heard the same line give it times that are no further apart. */
const TOLERANCE_NS = 2_000_000_000n;

/**
 * Which lines another log server does not have. Both heard lines of the same senders, perhaps in another order.
 *
 * @param known the other's lines, oldest first
 * @param lines one's own, oldest first
 */
export function unknownLines(known: readonly KeptLine[], lines: readonly KeptLine[]): KeptLine[] {
  const times = new Map<string, { at: bigint[]; next: number }>();
  for (const line of known) {
    const key = keyOf(line);
    const queue = times.get(key);
    if (queue) queue.at.push(line.atNs);
    else times.set(key, { at: [line.atNs], next: 0 });
  }
  return lines.filter((line) => {
    const queue = times.get(keyOf(line));
    if (!queue) return true;
    while ((queue.at[queue.next] ?? line.atNs) < line.atNs - TOLERANCE_NS) queue.next += 1;
    const at = queue.at[queue.next];
    if (at === undefined || at > line.atNs + TOLERANCE_NS) return true;
    queue.next += 1;
    return false;
  });
}

/** Another log server's lines with those of one's own that it lacks, each once, by time; the other's order is kept. */
export function mergeLines(known: readonly KeptLine[], lines: readonly KeptLine[]): KeptLine[] {
  const merged: KeptLine[] = [];
  let next = 0;
  for (const own of unknownLines(known, lines)) {
    for (let line = known[next]; line !== undefined && line.atNs <= own.atNs; line = known[next]) {
      merged.push(line);
      next += 1;
    }
    merged.push(own);
  }
  return [...merged, ...known.slice(next)];
}

const keyOf = ({ source, instance, type, text }: KeptLine) => `${source}\0${instance}\0${type}\0${text}`;
