import { type CrashPolicy, type CrashRecord, crashDelayMs, isFlapping } from './crash-backoff.ts';

/** What should be, for one process. */
export type DesiredProcess = {
  readonly instances: number;
  readonly state: 'STARTED' | 'STOPPED';
  readonly version: string;
  readonly packageState: 'STAGED' | 'PENDING' | 'FAILED';
  /** When this desired state was first seen, epoch ms: until a grace has passed, its starts are under way elsewhere. */
  readonly changedAtMs: number;
  /** When it was last updated, epoch s, as the controller says. */
  readonly updatedAtS: number;
};

/** What is, for one instance. */
export type ActualInstance = {
  readonly instance: string;
  readonly index: number;
  readonly version: string;
  readonly state: 'STARTING' | 'RUNNING' | 'EVACUATING' | 'CRASHED';
  /** Epoch ms. */
  readonly sinceMs: number;
};

/** Everything known of one process. Pending starts are by index, epoch ms when they were asked for. */
export type ProcessFacts = {
  readonly droplet: string;
  readonly desired: DesiredProcess | undefined;
  readonly actual: readonly ActualInstance[];
  readonly crashes: ReadonlyMap<number, CrashRecord> | undefined;
  readonly pendingStarts: ReadonlyMap<number, { readonly version: string; readonly atMs: number }> | undefined;
  /** Instances already asked to stop, epoch ms. */
  readonly pendingStops: ReadonlyMap<string, number> | undefined;
  /** Indices of the desired version that were seen alive before. */
  readonly seen: ReadonlySet<number> | undefined;
};

export type ReconcilePolicy = CrashPolicy & {
  /** A start or stop is not asked for again, and a new desired state not enforced, before this has passed. */
  readonly graceMs: number;
};

export type Action =
  | { readonly kind: 'start'; readonly index: number; readonly because: string; readonly isFlapping: boolean }
  | { readonly kind: 'stop'; readonly instance: string; readonly version: string; readonly because: string };

/** The actions for one process, and the shape they were decided on. */
export type Plan = {
  readonly droplet: string;
  readonly desired: DesiredProcess | undefined;
  readonly actions: readonly Action[];
  /** version → RUNNING instances. */
  readonly running: Readonly<Record<string, number>>;
  /** version → instances that serve: those, and the EVACUATING ones. A stop must not leave too few of these. */
  readonly serving: Readonly<Record<string, number>>;
};

/** What to do about one process; nothing when all is as it should be. */
export function reconcile(facts: ProcessFacts, nowMs: number, policy: ReconcilePolicy): readonly Action[] {
  const { desired } = facts;
  const isAsked = (instance: string) => nowMs - (facts.pendingStops?.get(instance) ?? -Infinity) < policy.graceMs;
  const stop = (one: ActualInstance, because: string): Action[] =>
    isAsked(one.instance) ? [] : [{ kind: 'stop', instance: one.instance, version: one.version, because }];

  if (facts.actual.length === 0 && desired?.state !== 'STARTED') return [];
  const live = facts.actual.filter(({ state }) => state !== 'CRASHED');
  if (!desired) {
    // A process created since the desired state was read is unknown, too.
    return live.filter((one) => nowMs - one.sinceMs >= policy.graceMs).flatMap((one) => stop(one, 'no such app'));
  }
  if (desired.state === 'STOPPED') {
    return nowMs - desired.changedAtMs < policy.graceMs ? [] : live.flatMap((one) => stop(one, 'the app is stopped'));
  }
  if (desired.packageState !== 'STAGED') return [];

  const current = byIndex(live, desired.version);
  const starts = startsFor(facts, { desired, live, current }, nowMs, policy);
  if (starts.length > 0 || hasPendingStart(facts, desired, nowMs, policy)) return starts;
  return stopsFor({ desired, live, current }).flatMap(([one, because]) => stop(one, because));
}

type View = {
  readonly desired: DesiredProcess;
  readonly live: readonly ActualInstance[];
  /** Live instances of the desired version, by index. */
  readonly current: ReadonlyMap<number, readonly ActualInstance[]>;
};

function startsFor(facts: ProcessFacts, view: View, nowMs: number, policy: ReconcilePolicy): Action[] {
  const { desired, current } = view;
  const starts: Action[] = [];
  for (let index = 0; index < desired.instances; index++) {
    const there = current.get(index);
    if (there?.some(({ state }) => state !== 'EVACUATING')) continue;
    const pending = facts.pendingStarts?.get(index);
    if (pending?.version === desired.version && nowMs - pending.atMs < policy.graceMs) continue;
    const because = there ? 'its DEA is being evacuated' : whyStart(facts, view, index, nowMs, policy);
    if (because !== undefined) {
      const flapping = isFlapping(facts.crashes?.get(index), policy);
      starts.push({ kind: 'start', index, because, isFlapping: flapping });
    }
  }
  return starts;
}

function whyStart(
  facts: ProcessFacts,
  view: View,
  index: number,
  nowMs: number,
  policy: ReconcilePolicy,
): string | undefined {
  const crash = facts.crashes?.get(index);
  if (crash) {
    if (nowMs - crash.lastAtMs < crashDelayMs(crash.count, policy)) return undefined;
    const isProbe = index === 0 || view.live.length > 0;
    if (!isProbe && isFlapping(crash, policy)) return undefined;
    return `index ${index} crashed, ${crash.count} in a row`;
  }
  // What was never seen is being started by whoever changed the desired state.
  const isNew = nowMs - view.desired.changedAtMs < policy.graceMs && !facts.seen?.has(index);
  return isNew ? undefined : `index ${index} is missing`;
}

function hasPendingStart(
  facts: ProcessFacts,
  desired: DesiredProcess,
  nowMs: number,
  policy: ReconcilePolicy,
): boolean {
  for (const { version, atMs } of facts.pendingStarts?.values() ?? []) {
    if (version === desired.version && nowMs - atMs < policy.graceMs) return true;
  }
  return false;
}

function stopsFor({ desired, live, current }: View): [ActualInstance, string][] {
  const stops: [ActualInstance, string][] = [];
  let runningIndices = 0;
  for (const [index, there] of current) {
    if (index >= desired.instances) {
      stops.push(...there.map((one): [ActualInstance, string] => [one, `index ${index} is more than was asked for`]));
      continue;
    }
    if (there.some(({ state }) => state === 'RUNNING')) runningIndices += 1;
    const [kept, ...others] = there.toSorted(byPrecedence);
    for (const one of others) {
      const isLeaving = one.state === 'EVACUATING';
      // An evacuated instance serves until its replacement does.
      if (isLeaving && kept?.state !== 'RUNNING') continue;
      stops.push([one, isLeaving ? `index ${index} runs elsewhere by now` : `index ${index} runs twice`]);
    }
  }
  if (runningIndices >= desired.instances) {
    for (const one of live) if (one.version !== desired.version) stops.push([one, 'enough of the current version run']);
  }
  return stops;
}

const RANK: Readonly<Record<ActualInstance['state'], number>> = { RUNNING: 0, STARTING: 1, EVACUATING: 2, CRASHED: 3 };

/** Running before starting, then the older one, then by id so that every observer keeps the same. */
function byPrecedence(a: ActualInstance, b: ActualInstance): number {
  return RANK[a.state] - RANK[b.state] || a.sinceMs - b.sinceMs || (a.instance < b.instance ? -1 : 1);
}

function byIndex(live: readonly ActualInstance[], version: string): Map<number, ActualInstance[]> {
  const map = new Map<number, ActualInstance[]>();
  for (const one of live) {
    if (one.version !== version) continue;
    const there = map.get(one.index);
    if (there) there.push(one);
    else map.set(one.index, [one]);
  }
  return map;
}

/** RUNNING instances by version. */
export function runningByVersion(
  actual: readonly ActualInstance[],
  states: readonly ActualInstance['state'][] = ['RUNNING'],
): Record<string, number> {
  const running: Record<string, number> = {};
  for (const { state, version } of actual) if (states.includes(state)) running[version] = (running[version] ?? 0) + 1;
  return running;
}

/** The plans of all processes; those without actions are left out. */
export function reconcileAll(all: Iterable<ProcessFacts>, nowMs: number, policy: ReconcilePolicy): Plan[] {
  const plans: Plan[] = [];
  for (const facts of all) {
    const actions = reconcile(facts, nowMs, policy);
    if (actions.length === 0) continue;
    const { droplet, desired, actual } = facts;
    const serving = runningByVersion(actual, ['RUNNING', 'EVACUATING']);
    plans.push({ droplet, desired, actions, running: runningByVersion(actual), serving });
  }
  return plans;
}

/**
 * Lets at most `max` starts through, those of the processes that miss the largest share first; stops are not counted.
 * What is left out comes up again at the next reconciliation.
 */
export function limitStarts(plans: readonly Plan[], max: number): Plan[] {
  const share = ({ desired, actions }: Plan) =>
    actions.filter(({ kind }) => kind === 'start').length / Math.max(1, desired?.instances ?? 1);
  let left = max;
  const limited: Plan[] = [];
  for (const plan of plans.toSorted((a, b) => share(b) - share(a))) {
    const actions = plan.actions.filter(({ kind }) => kind === 'stop' || left-- > 0);
    if (actions.length > 0) limited.push({ ...plan, actions });
  }
  return limited;
}
