import type { Bus } from '../bus/bus.ts';
import { subjects } from '../contract/subjects.ts';
import { mergeLines } from '../core/log-merge.ts';
import type { KeptLine, ReadQuery } from '../core/log-ring.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { LogStore } from './log-store.ts';
import { pageOf, readPeer } from './peer-lines.ts';
import { Peers } from './peers.ts';

const APPS_A_PAGE = 5000;
const TIMEOUT_MS = 2000;
/** Clocks of nodes differ, and what was said last before a gap may have been lost with it. */
const MARGIN_MS = 60_000;
/** Time for the others to say that they are there. */
const GREETING_MS = 1000;
const EVER = { startNs: -(1n << 62n), endNs: 1n << 62n };

type Around = { store: LogStore; bus: Bus; clock: Clock; log: Log; id: string };

/**
 * The logs as all log servers of the cluster know them. Readers get them from the one that has listened for longest; what
 * this one missed while it was away it takes over from another.
 */
export class SharedLog implements AsyncDisposable {
  readonly #around: Around;
  readonly #peers: Peers;
  readonly #open: Disposable[];
  readonly #stop = new AbortController();
  #catchingUp: Promise<void> = Promise.resolve();
  #heardUntilMs: number;

  /** `heardUntilMs`: when this one last heard lines before its start, epoch ms; 0 for never. */
  constructor(around: Around, heardUntilMs: number) {
    this.#around = around;
    this.#heardUntilMs = heardUntilMs;
    const { bus, store, id, clock } = around;
    this.#peers = new Peers(around);
    this.#open = [
      bus.subscribe(subjects.logyardPeerRead, [id], ({ app, start, end, limit, descending }, message) => {
        const query = { startNs: BigInt(start), endNs: BigInt(end), limit, isDescending: descending };
        message.respond(pageOf(store.ring(app)?.read(query) ?? []));
      }),
      bus.subscribe(subjects.logyardPeerApps, [id], ({ since, after }, message) => {
        const found = store.appsSince(since).filter((app) => app > after);
        message.respond({ apps: found.slice(0, APPS_A_PAGE), more: found.length > APPS_A_PAGE });
      }),
      bus.onStatus((status) => {
        if (status === 'connected') this.#catchUp();
        else this.#heardUntilMs = Math.min(this.#heardUntilMs, clock.nowMs());
      }),
    ];
    this.#catchUp();
  }

  /** Recent lines of an app. */
  async read(app: string, query: ReadQuery): Promise<KeptLine[]> {
    const { bus, store } = this.#around;
    for (let senior = this.#peers.senior(); senior !== undefined; senior = this.#peers.senior()) {
      const lines = await readPeer(bus, senior.id, { app, query });
      if (lines !== undefined) return lines;
      this.#peers.lost(senior.id);
    }
    return store.ring(app)?.read(query) ?? [];
  }

  /** The newest `limit` lines, oldest first. */
  async recent(app: string, limit: number): Promise<KeptLine[]> {
    return (await this.read(app, { ...EVER, limit, isDescending: true })).reverse();
  }

  /** Resolves when what can be had from others is here. */
  caughtUp(): Promise<void> {
    return this.#catchingUp;
  }

  /** Is this the one that speaks for all? */
  get isSenior(): boolean {
    return this.#peers.senior() === undefined;
  }

  /** Other log servers that are there, for status pages. */
  get peers(): number {
    return this.#peers.others().length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#open) one[Symbol.dispose]();
    this.#peers[Symbol.dispose]();
    this.#stop.abort(new Error('stopped'));
    await this.#catchingUp;
  }

  #catchUp(): void {
    this.#catchingUp = this.#catchingUp.then(() => this.#takeOver());
  }

  async #takeOver(): Promise<void> {
    const { clock, log } = this.#around;
    const { signal } = this.#stop;
    try {
      await clock.sleep(GREETING_MS, signal);
      const sinceMs = Math.max(0, this.#heardUntilMs - MARGIN_MS);
      for (const { id } of this.#peers.others()) {
        const taken = await this.#takeFrom(id, sinceMs);
        if (taken === undefined) continue;
        this.#heardUntilMs = Number.POSITIVE_INFINITY;
        if (taken.apps > 0) log.info('took-over-logs', { peer: id, ...taken });
        return;
      }
    } catch (error) {
      if (!signal.aborted) log.error('failed-to-take-over-logs', { error });
    }
  }

  /** Undefined when the other does not answer. */
  async #takeFrom(peer: string, since: number): Promise<{ apps: number; lines: number } | undefined> {
    const { bus, store } = this.#around;
    const taken = { apps: 0, lines: 0 };
    for (let after = ''; ; ) {
      const request = { since, after };
      const [page] = await bus.request(subjects.logyardPeerApps, [peer], request, { timeoutMs: TIMEOUT_MS });
      if (page === undefined) return undefined;
      for (const app of page.apps) {
        this.#stop.signal.throwIfAborted();
        const query = { ...EVER, limit: store.linesKept, isDescending: true };
        const lines = await readPeer(bus, peer, { app, query });
        if (lines === undefined) return undefined;
        const added = store.adopt(app, (own) => mergeLines(lines.reverse(), own));
        taken.lines += added;
        if (added > 0) taken.apps += 1;
        // Memory stays bounded while many apps pass through it.
        await store.flush();
        after = app;
      }
      if (!page.more) return taken;
    }
  }
}
