import type { Random } from '../../platform/random.ts';
import { ContainerError } from '../container.ts';

/** Ids 0 to 65535 of a container in the files of stacks, images and roots, whoever has them there. */
export const ID_OFFSET = 0x7000_0000;
export const ID_COUNT = 65_536;

/** First ids of the ranges: above those of other container systems, and what a signed number holds. */
const FIRST = ID_OFFSET + ID_COUNT;
const LAST = 0x7ffe_0000;

/** All ranges of a node, which its engines share. */
export const allRanges = { first: 0, last: (LAST - FIRST) / ID_COUNT } as const;

/** Hands each container a range of users and groups that no other container of the node has. */
export class IdRanges {
  readonly #first: number;
  readonly #count: number;
  readonly #used = new Set<number>();
  #next: number;

  constructor(share: { readonly first: number; readonly last: number }, random: Random) {
    this.#first = share.first;
    this.#count = share.last - share.first + 1;
    this.#next = random.pick(this.#count);
  }

  /** The first id of a range, which is the caller's until it is released. */
  take(): number {
    for (let tried = 0; tried < this.#count; tried++) {
      const id = FIRST + (this.#first + (this.#next++ % this.#count)) * ID_COUNT;
      if (this.#used.has(id)) continue;
      this.#used.add(id);
      return id;
    }
    throw new ContainerError('failed', `all ${this.#count} ranges of user ids are taken; destroy some containers`);
  }

  own(firstId: number): void {
    this.#used.add(firstId);
  }

  release(firstId: number): void {
    this.#used.delete(firstId);
  }
}
