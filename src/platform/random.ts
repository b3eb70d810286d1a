import { randomBytes, randomInt, randomUUID } from 'node:crypto';

/** Randomness, as everything that draws lots sees it. */
export interface Random {
  /** Lower-case UUID v4. */
  guid(): string;
  /** `bytes` random bytes as lower-case hex. */
  hex(bytes: number): string;
  /** A whole number from 0 to n − 1. */
  pick(n: number): number;
}

export const systemRandom: Random = {
  guid: () => randomUUID(),
  hex: (bytes) => randomBytes(bytes).toString('hex'),
  pick: (n) => randomInt(n),
};

/** Repeatable randomness for tests. */
export function seededRandom(seed = 1): Random {
  let state = seed >>> 0 || 1;
  const next = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state;
  };
  const hex = (bytes: number) =>
    Array.from({ length: bytes }, () => ((next() >>> 16) & 255).toString(16).padStart(2, '0')).join('');
  return {
    hex,
    pick: (n) => Math.floor((next() / 2 ** 32) * n),
    guid: () => {
      const h = hex(16);
      return `${h.slice(0, 8)}-${h.slice(8, 12)}-4${h.slice(13, 16)}-a${h.slice(17, 20)}-${h.slice(20)}`;
    },
  };
}
