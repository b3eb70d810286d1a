import type { AdminSocket } from './admin-socket.ts';
import type { Slots } from './slots.ts';

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 30_000;
const MOST_PER_SWEEP = 500;

/** Deletes servers that left their route. HAProxy refuses while connections exist, so it asks again and again. */
export class Janitor {
  readonly #admin: AdminSocket;
  readonly #slots: Slots;
  #tries = new Map<string, { nextMs: number; delayMs: number }>();

  constructor(admin: AdminSocket, slots: Slots) {
    this.#admin = admin;
    this.#slots = slots;
  }

  async sweep(nowMs: number): Promise<void> {
    const due = this.#slots.leaving().filter((server) => this.#isDue(server.join('/'), nowMs));
    const batch = due.slice(0, MOST_PER_SWEEP);
    if (batch.length === 0) return;
    const answers = await this.#admin.ask(batch.map((server) => `del server ${server.join('/')}`));
    batch.forEach(([backend, id], i) => {
      const key = `${backend}/${id}`;
      if (/^(Server deleted|No such server)/.test(answers[i] ?? '')) {
        this.#tries.delete(key);
        this.#slots.deleted(backend, id);
      } else {
        const delayMs = Math.min(LONGEST_RETRY_MS, (this.#tries.get(key)?.delayMs ?? FIRST_RETRY_MS / 2) * 2);
        this.#tries.set(key, { nextMs: nowMs + delayMs, delayMs });
      }
    });
  }

  /** A new configuration has none of them. */
  forget(): void {
    this.#tries.clear();
  }

  #isDue(key: string, nowMs: number): boolean {
    const tried = this.#tries.get(key);
    return tried === undefined || tried.nextMs <= nowMs;
  }
}
