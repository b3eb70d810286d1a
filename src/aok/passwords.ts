import { type Algorithm, hash, verify } from '@node-rs/argon2';

/** 19 MiB, two passes: about 30 ms on a thread of its own. */
const cost = { algorithm: 2 satisfies Algorithm.Argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

/** Hashes passwords away from the event loop. */
export class Passwords {
  /** What the password of someone unknown is compared with, so that it takes as long. */
  readonly #decoy = hash('nobody has this password', cost);

  hash(password: string): Promise<string> {
    return hash(password, cost);
  }

  /** Is it the password behind the hash? Without a hash it never is, but takes as long to say so. */
  async isRight(password: string, passwordHash: string | null | undefined): Promise<boolean> {
    const isMatch = await verify(passwordHash ?? (await this.#decoy), password);
    return isMatch && typeof passwordHash === 'string';
  }
}
