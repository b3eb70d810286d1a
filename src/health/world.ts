import type { PayloadOf } from '../contract/subject.ts';
import type { subjects } from '../contract/subjects.ts';
import { type CrashRecord, countCrash } from '../core/crash-backoff.ts';
import { type FreshnessFacts, heartbeatsSince } from '../core/freshness.ts';
import type { ActualInstance, DesiredProcess, Plan, ProcessFacts } from '../core/reconcile.ts';
import { type DesiredApp, desiredProcess } from './desired.ts';
import type { NotedCrash, Notes } from './notebook.ts';
import type { WorldPolicy } from './policy.ts';
import { Roster } from './roster.ts';

type Heartbeat = PayloadOf<typeof subjects.deaHeartbeat>;
type Exited = PayloadOf<typeof subjects.dropletExited>;
type Refused = PayloadOf<typeof subjects.deaRefused>;
type Entry = Heartbeat['droplets'][number];

/** An ended instance is remembered for longer than any heartbeat that was sent before its end can be under way. */
const ENDED_KEPT_MS = 120_000;

/** What is remembered of one process besides its desired state. */
class ProcessMemory {
  readonly actual = new Map<string, ActualInstance>();
  readonly crashes = new Map<number, CrashRecord>();
  readonly pendingStarts = new Map<number, { version: string; atMs: number }>();
  readonly pendingStops = new Map<string, number>();
  readonly seen = new Set<number>();

  /** A new run, or none: what was counted for the last one means nothing any more. */
  reset(): void {
    this.crashes.clear();
    this.pendingStarts.clear();
    this.seen.clear();
  }
}

/** Everything that was heard of what is and what should be. */
export class World {
  readonly desired = new Map<string, DesiredProcess>();
  readonly #policy: WorldPolicy;
  readonly #processes = new Map<string, ProcessMemory>();
  readonly #deas = new Map<string, { lastMs: number; instances: Map<string, string> }>();
  readonly #ended = new Map<string, number>();
  /** Processes whose desired state is known to be outdated, by the number of the message that said so. */
  readonly #outdated = new Map<string, number>();
  readonly #roster = new Roster();
  /** Crashes that a predecessor counted; they wait for the desired state, which tells if they still matter. */
  #recalled: readonly NotedCrash[] = [];
  #updates = 0;
  #fresh: Omit<FreshnessFacts, 'allHeardEveryMs'> = {
    ...{ heartbeatsSinceMs: undefined, lastHeartbeatMs: undefined, desiredReadMs: undefined },
  };

  constructor(policy: WorldPolicy) {
    this.#policy = policy;
  }

  get freshnessFacts(): FreshnessFacts {
    return { ...this.#fresh, allHeardEveryMs: this.#roster.allHeardEveryMs() };
  }

  /** Takes what a predecessor noted; undefined when it noted nothing, so that no DEA can be known to be missing. */
  recall(notes: Notes | undefined): void {
    this.#roster.recall(notes?.deas);
    this.#recalled = notes?.crashes ?? [];
    if (this.#fresh.desiredReadMs !== undefined) this.#restoreCrashes();
  }

  /** What a successor must know. */
  notes(): Notes {
    const crashes: NotedCrash[] = [];
    for (const [droplet, memory] of this.#processes) {
      const version = this.desired.get(droplet)?.version;
      if (version === undefined) continue;
      for (const [index, crash] of memory.crashes) crashes.push({ droplet, version, index, ...crash });
    }
    return { deas: this.#roster.list(), crashes };
  }

  /** Takes a DEA's complete set. */
  hearHeartbeat(beat: Heartbeat, nowMs: number): void {
    const heartbeatsSinceMs = heartbeatsSince(this.#fresh, nowMs, this.#policy.heartbeatLostMs);
    if (heartbeatsSinceMs !== this.#fresh.heartbeatsSinceMs) this.#roster.beginAgain();
    this.#fresh = { ...this.#fresh, heartbeatsSinceMs, lastHeartbeatMs: nowMs };
    this.#roster.hear(beat.dea, { hasInstances: beat.droplets.length > 0, intervalMs: beat.interval_ms });
    const before = this.#deas.get(beat.dea)?.instances;
    const instances = new Map<string, string>();
    for (const entry of beat.droplets) {
      if (this.#hearEntry(entry, nowMs)) instances.set(entry.instance, entry.droplet);
    }
    for (const [instance, droplet] of before ?? []) {
      if (!instances.has(instance)) this.#processes.get(droplet)?.actual.delete(instance);
    }
    this.#deas.set(beat.dea, { lastMs: nowMs, instances });
  }

  /** @returns is this a crash that should be answered at once? */
  hearExited(exit: Exited, nowMs: number): boolean {
    if (this.#ended.has(exit.instance)) return false;
    const process = this.#process(exit.droplet);
    const last = process.actual.get(exit.instance);
    this.#ended.set(exit.instance, nowMs);
    process.actual.delete(exit.instance);
    process.pendingStops.delete(exit.instance);
    if (exit.version !== this.desired.get(exit.droplet)?.version) return false;
    if (process.pendingStarts.get(exit.index)?.version === exit.version) process.pendingStarts.delete(exit.index);
    process.seen.add(exit.index);
    if (exit.reason !== 'CRASHED') return false;
    const upMs = last?.state === 'RUNNING' ? nowMs - last.sinceMs : 0;
    this.#countCrash(process, exit, { atMs: nowMs, upMs });
    return true;
  }

  /** A start was given back: no crash, and the controller is about to try another DEA. */
  hearRefused({ droplet, version, index, instance }: Refused, nowMs: number): void {
    if (version !== this.desired.get(droplet)?.version) return;
    const process = this.#process(droplet);
    if (instance !== undefined) process.actual.delete(instance);
    process.pendingStarts.set(index, { version, atMs: nowMs });
  }

  /** Heartbeats may have been missed: none of them is believed to be all until a whole interval has passed. */
  loseContact(): void {
    this.#fresh = { ...this.#fresh, heartbeatsSinceMs: undefined, lastHeartbeatMs: undefined };
  }

  /** The desired state of a process changed; nothing is done about it before it was read again. */
  markOutdated(droplet: string): void {
    this.#updates += 1;
    this.#outdated.set(droplet, this.#updates);
  }

  /** Begins to read the desired state; what it gives goes to `setDesired`. */
  beginReading(): number {
    return this.#updates;
  }

  /** Takes the desired state of all processes, as read since `beginReading` gave this number. */
  setDesired(apps: ReadonlyMap<string, DesiredApp>, reading: number, nowMs: number): void {
    const isFirstReading = this.#fresh.desiredReadMs === undefined;
    for (const [droplet, app] of apps) {
      const before = this.desired.get(droplet);
      const next = desiredProcess(app, before, { nowMs, isFirstReading });
      this.desired.set(droplet, next);
      const memory = this.#processes.get(droplet);
      if (before && (before.version !== next.version || next.state === 'STOPPED')) memory?.reset();
    }
    for (const droplet of this.desired.keys()) {
      if (!apps.has(droplet)) this.desired.delete(droplet);
    }
    for (const [droplet, update] of this.#outdated) if (update <= reading) this.#outdated.delete(droplet);
    this.#fresh = { ...this.#fresh, desiredReadMs: nowMs };
    if (isFirstReading) this.#restoreCrashes();
  }

  /** Forgets lost DEAs and what has become meaningless. Returns the lost ones. */
  sweep(nowMs: number): string[] {
    const lost: string[] = [];
    for (const [dea, { lastMs, instances }] of this.#deas) {
      if (nowMs - lastMs <= this.#policy.heartbeatLostMs) continue;
      for (const [instance, droplet] of instances) this.#processes.get(droplet)?.actual.delete(instance);
      this.#deas.delete(dea);
      // With all of them silent it is the bus that is gone, and they must be heard again.
      if (nowMs - (this.#fresh.lastHeartbeatMs ?? -Infinity) <= this.#policy.heartbeatLostMs) this.#roster.remove(dea);
      lost.push(dea);
    }
    for (const [instance, atMs] of this.#ended) if (nowMs - atMs > ENDED_KEPT_MS) this.#ended.delete(instance);
    for (const [droplet, memory] of this.#processes) {
      this.#forgetCrashes(memory, nowMs);
      for (const [instance, atMs] of memory.pendingStops) {
        if (nowMs - atMs > this.#policy.graceMs) memory.pendingStops.delete(instance);
      }
      if (memory.actual.size === 0 && !this.desired.has(droplet)) this.#processes.delete(droplet);
    }
    return lost;
  }

  /** Everything known of one process; undefined while its desired state is known to be outdated. */
  factsOf(droplet: string): ProcessFacts | undefined {
    if (this.#outdated.has(droplet)) return undefined;
    const memory = this.#processes.get(droplet);
    return {
      droplet,
      desired: this.desired.get(droplet),
      actual: memory ? [...memory.actual.values()] : [],
      crashes: memory?.crashes,
      pendingStarts: memory?.pendingStarts,
      pendingStops: memory?.pendingStops,
      seen: memory?.seen,
    };
  }

  /** Facts of every process that should be or is. */
  *allFacts(): Iterable<ProcessFacts> {
    for (const droplet of this.desired.keys()) {
      const facts = this.factsOf(droplet);
      if (facts) yield facts;
    }
    for (const droplet of this.#processes.keys()) {
      const facts = this.desired.has(droplet) ? undefined : this.factsOf(droplet);
      if (facts) yield facts;
    }
  }

  /** Notes that the actions of a plan were asked for. */
  noteAsked({ droplet, desired, actions }: Plan, nowMs: number): void {
    const memory = this.#process(droplet);
    for (const action of actions) {
      if (action.kind === 'stop') memory.pendingStops.set(action.instance, nowMs);
      else if (desired) memory.pendingStarts.set(action.index, { version: desired.version, atMs: nowMs });
    }
  }

  /** @returns false for an entry that its instance's end has overtaken */
  #hearEntry(entry: Entry, nowMs: number): boolean {
    const { instance, index, version, state, droplet } = entry;
    if (state !== 'STARTING' && state !== 'RUNNING' && state !== 'EVACUATING' && state !== 'CRASHED') return false;
    const isCurrent = version === this.desired.get(droplet)?.version;
    const process = this.#process(droplet);
    if (state === 'CRASHED') {
      const upMs = 0;
      if (isCurrent && !this.#ended.has(instance))
        this.#countCrash(process, entry, { atMs: this.#since(entry, nowMs), upMs });
      this.#ended.set(instance, nowMs);
    } else if (this.#ended.has(instance)) return false;
    process.actual.set(instance, { instance, index, version, state, sinceMs: this.#since(entry, nowMs) });
    if (isCurrent && state !== 'CRASHED') {
      process.seen.add(index);
      if (process.pendingStarts.get(index)?.version === version) process.pendingStarts.delete(index);
    }
    return true;
  }

  #since(entry: Entry, nowMs: number): number {
    return Math.min(nowMs, Math.floor(entry.state_timestamp * 1000));
  }

  #countCrash(
    process: ProcessMemory,
    crash: { instance: string; index: number },
    at: { atMs: number; upMs: number },
  ): void {
    const { instance, index } = crash;
    process.crashes.set(index, countCrash(process.crashes.get(index), { instance, ...at }, this.#policy));
  }

  #restoreCrashes(): void {
    for (const { droplet, version, index, ...crash } of this.#recalled) {
      if (this.desired.get(droplet)?.version !== version) continue;
      const { crashes } = this.#process(droplet);
      const since = crashes.get(index);
      const count = crash.count + (since && since.instance !== crash.instance ? since.count : 0);
      crashes.set(index, { ...(since ?? crash), count });
    }
    this.#recalled = [];
  }

  /** An instance that has been up for long enough makes good for those before it. */
  #forgetCrashes(memory: ProcessMemory, nowMs: number): void {
    if (memory.crashes.size === 0) return;
    for (const { index, state, sinceMs } of memory.actual.values()) {
      if (state === 'RUNNING' && nowMs - sinceMs >= this.#policy.resetAfterMs) memory.crashes.delete(index);
    }
  }

  #process(droplet: string): ProcessMemory {
    let memory = this.#processes.get(droplet);
    if (!memory) {
      memory = new ProcessMemory();
      this.#processes.set(droplet, memory);
    }
    return memory;
  }
}
