import type { Bus } from '../bus/bus.ts';
import type { ClusterConfig } from '../contract/config.ts';
import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import { describeCrash } from '../core/crash-cause.ts';
import type { Clock } from '../platform/clock.ts';

export type InstanceState = 'RUNNING' | 'STARTING' | 'CRASHED' | 'DOWN' | 'STOPPING';

/** One instance as a DEA's last heartbeat told it. */
type SeenInstance = {
  readonly dea: string;
  readonly process: string;
  readonly version: string;
  readonly instance: string;
  readonly index: number;
  readonly state: string;
  /** Epoch s. */
  readonly sinceS: number;
};

/** The state of one index of a process. */
export type InstanceView = {
  readonly index: number;
  readonly state: InstanceState;
  /** Seconds in this state. */
  readonly sinceS: number;
  readonly instance: string | undefined;
  readonly dea: string | undefined;
  /** Why it does not run, for people. */
  readonly details: string | undefined;
};

type Exited = PayloadOf<typeof subjects.dropletExited>;
type Heartbeat = PayloadOf<typeof subjects.deaHeartbeat>;
type Note = { readonly atMs: number; readonly text: string };

/** A start that no heartbeat confirmed is no longer shown as starting after this. */
const START_SHOWN_MS = 60_000;
const MAX_NOTES = 50_000;
const RANK: Readonly<Record<string, number>> = { RUNNING: 4, EVACUATING: 3, STARTING: 2, CRASHED: 1 };

/** Which instances run where, from heartbeats; with what this controller knows of starts and failures. */
export class InstanceDirectory implements Disposable {
  readonly #clock: Clock;
  readonly #config: ClusterConfig;
  readonly #byDea = new Map<string, { heardAtMs: number; instances: Map<string, SeenInstance> }>();
  readonly #byProcess = new Map<string, Map<string, SeenInstance>>();
  readonly #starts = new Map<string, number>();
  readonly #refusals = new Map<string, Note>();
  readonly #exits = new Map<string, Exited>();
  readonly #subscriptions: Disposable[];

  constructor(around: { bus: Bus; clock: Clock; config: ClusterConfig }) {
    this.#clock = around.clock;
    this.#config = around.config;
    this.#subscriptions = [
      around.bus.subscribe(subjects.deaHeartbeat, [], (beat) => this.#hear(beat)),
      around.bus.subscribe(subjects.deaShutdown, [], ({ id }) => this.#forget(id)),
      around.bus.subscribe(subjects.dropletExited, [], (exited) => this.#exited(exited)),
    ];
  }

  /** A start was sent to a DEA. */
  noteStart(process: string, version: string, index: number): void {
    const key = keyOf(process, version, index);
    this.#refusals.delete(key);
    remember(this.#starts, key, this.#clock.nowMs());
  }

  /** No DEA could take it. */
  noteRefusal(process: string, version: string, index: number, text: string): void {
    const key = keyOf(process, version, index);
    this.#starts.delete(key);
    remember(this.#refusals, key, { atMs: this.#clock.nowMs(), text });
  }

  /** One entry for each desired index, in order. */
  view(process: string, version: string, count: number): InstanceView[] {
    const best = new Map<number, SeenInstance>();
    for (const seen of this.#alive(process)) {
      if (seen.version !== version || seen.index >= count) continue;
      const rival = best.get(seen.index);
      if (!rival || rank(seen) > rank(rival)) best.set(seen.index, seen);
    }
    return Array.from({ length: count }, (_, index) => this.#viewOf({ process, version, index }, best.get(index)));
  }

  /** Instances of one index, whatever their version. */
  at(process: string, index: number): readonly { instance: string; version: string; state: string }[] {
    return this.#alive(process).filter((seen) => seen.index === index);
  }

  /** Instances of a process that heartbeats showed running or starting. */
  countLive(process: string, version: string): number {
    return this.#alive(process).filter((seen) => seen.version === version && seen.state !== 'CRASHED').length;
  }

  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
  }

  #viewOf(want: { process: string; version: string; index: number }, seen: SeenInstance | undefined): InstanceView {
    const { index } = want;
    const nowMs = this.#clock.nowMs();
    const key = keyOf(want.process, want.version, index);
    const exit = this.#exits.get(key);
    const startedMs = this.#starts.get(key);
    if (seen && seen.state !== 'CRASHED') {
      const state = seen.state === 'EVACUATING' ? 'RUNNING' : stateOf(seen.state);
      const sinceS = Math.max(0, Math.floor(nowMs / 1000 - seen.sinceS));
      return { index, state, sinceS, instance: seen.instance, dea: seen.dea, details: undefined };
    }
    const isStarting = startedMs !== undefined && nowMs - startedMs < START_SHOWN_MS;
    if (isStarting && (!seen || seen.sinceS * 1000 < startedMs)) {
      const sinceS = Math.floor((nowMs - startedMs) / 1000);
      return { index, state: 'STARTING', sinceS, instance: undefined, dea: undefined, details: undefined };
    }
    if (seen || exit?.reason === 'CRASHED') {
      const atS = seen?.sinceS ?? exit?.crash_timestamp ?? nowMs / 1000;
      const sinceS = Math.max(0, Math.floor(nowMs / 1000 - atS));
      const { instance = exit?.instance, dea = exit?.dea } = seen ?? {};
      return { index, state: 'CRASHED', sinceS, instance, dea, details: exit && formatExit(exit) };
    }
    const refusal = this.#refusals.get(key);
    const sinceS = refusal ? Math.floor((nowMs - refusal.atMs) / 1000) : 0;
    return { index, state: 'DOWN', sinceS, instance: undefined, dea: undefined, details: refusal?.text };
  }

  #alive(process: string): SeenInstance[] {
    const seen = [...(this.#byProcess.get(process)?.values() ?? [])];
    const oldestMs = this.#clock.nowMs() - this.#config.health.heartbeatLostMs;
    return seen.filter(({ dea }) => (this.#byDea.get(dea)?.heardAtMs ?? 0) >= oldestMs);
  }

  #hear(beat: Heartbeat): void {
    const before = this.#byDea.get(beat.dea)?.instances ?? new Map<string, SeenInstance>();
    const now = new Map<string, SeenInstance>();
    for (const entry of beat.droplets) {
      const seen: SeenInstance = {
        dea: beat.dea,
        process: entry.droplet,
        version: entry.version,
        instance: entry.instance,
        index: entry.index,
        state: entry.state,
        sinceS: entry.state_timestamp,
      };
      now.set(entry.instance, seen);
      this.#index(seen);
    }
    for (const gone of before.values()) if (!now.has(gone.instance)) this.#unindex(gone);
    this.#byDea.set(beat.dea, { heardAtMs: this.#clock.nowMs(), instances: now });
  }

  #forget(dea: string): void {
    for (const gone of this.#byDea.get(dea)?.instances.values() ?? []) this.#unindex(gone);
    this.#byDea.delete(dea);
  }

  #index(seen: SeenInstance): void {
    const instances = this.#byProcess.get(seen.process);
    if (instances) instances.set(seen.instance, seen);
    else this.#byProcess.set(seen.process, new Map([[seen.instance, seen]]));
    const key = keyOf(seen.process, seen.version, seen.index);
    if (seen.state === 'RUNNING') {
      this.#starts.delete(key);
      this.#exits.delete(key);
      this.#refusals.delete(key);
    }
  }

  #unindex(gone: SeenInstance): void {
    const instances = this.#byProcess.get(gone.process);
    if (instances?.get(gone.instance)?.dea === gone.dea) instances.delete(gone.instance);
    if (instances?.size === 0) this.#byProcess.delete(gone.process);
  }

  #exited(exited: Exited): void {
    const key = keyOf(exited.droplet, exited.version, exited.index);
    this.#starts.delete(key);
    remember(this.#exits, key, exited);
    const seen = this.#byProcess.get(exited.droplet)?.get(exited.instance);
    if (!seen) return;
    const state = exited.reason === 'CRASHED' ? 'CRASHED' : 'STOPPED';
    if (state === 'STOPPED') this.#unindex(seen);
    else this.#index({ ...seen, state, sinceS: exited.crash_timestamp ?? this.#clock.nowMs() / 1000 });
  }
}

/** `app instance exited (exit status 1)`. */
export function formatExit(exit: Pick<Exited, 'exit_description' | 'exit_status'>): string {
  return describeCrash({ status: exit.exit_status, description: exit.exit_description ?? '' }, 'the instance ended');
}

const keyOf = (process: string, version: string, index: number) => `${process} ${version} ${index}`;
const rank = (seen: SeenInstance) => RANK[seen.state] ?? 0;

function stateOf(state: string): InstanceState {
  return state === 'RUNNING' || state === 'STARTING' || state === 'CRASHED' || state === 'STOPPING' ? state : 'DOWN';
}

/** Sets a note and drops the oldest ones beyond the limit. */
function remember<T>(notes: Map<string, T>, key: string, note: T): void {
  notes.delete(key);
  notes.set(key, note);
  if (notes.size > MAX_NOTES) for (const [oldest] of notes) return void notes.delete(oldest);
}
