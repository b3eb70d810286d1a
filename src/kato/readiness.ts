import { readFile } from 'node:fs/promises';
import type { Bus } from '../bus/bus.ts';
import { discoverComponents } from '../bus/discovery.ts';
import { connectNats } from '../bus/nats.ts';
import { linkHost } from '../contract/topology.ts';
import {
  infrastructure,
  type ProcessReport,
  type Readiness,
  reportProcesses,
  type Supervised,
  shutOut,
} from '../core/process-status.ts';
import type { ProcessPlan } from '../core/role-plan.ts';
import { systemClock } from '../platform/clock.ts';
import { silentLog } from '../platform/log.ts';
import { isPostgresqlReady } from '../platform/postgresql.ts';
import { canConnect, speaksFirst } from '../platform/probe.ts';
import { linkDoor } from '../proxy/link/links.ts';
import { type Node, openNode } from './node.ts';
import { programsOf } from './programs.ts';
import { Refusal } from './refusal.ts';

const FIRST_WITHIN_MS = 3000;
const REFUSES = "refuses this node's password";

/** Processes run, and have yet to hear from the Core's bus; they go on by themselves. */
export class BusIsAway extends Refusal {}

function busIsAway({ why, isRefused }: { why: string; isRefused: boolean }): Refusal {
  const what = `what was started runs, but ${why}`;
  if (!isRefused) {
    return new BusIsAway(what, 'it goes to work as soon as the bus answers; see `kato status` on the Core');
  }
  return new Refusal(what, shutOut);
}

/** Watches a node's processes; holds kato's own bus connection while there is a bus. */
export class ReadinessProbe implements AsyncDisposable {
  readonly #node: Node;
  #bus: Bus | undefined;
  #isClosed = false;
  /** Why there is no bus, and since when. */
  #away: { readonly why: string; readonly isRefused: boolean; readonly sinceMs: number } | undefined;

  constructor(node: Node) {
    this.#node = node;
  }

  /** The bus, or undefined when there is none now. */
  async bus(): Promise<Bus | undefined> {
    if (this.#bus?.status() === 'connected') return this.#bus;
    if (this.#isClosed) return undefined;
    await this.#bus?.close();
    this.#bus = undefined;
    if (!(await this.#isBusUp())) return this.#lacks('does not answer');
    // They may be others by now.
    const { credentials } = await openNode(this.#node.paths.state);
    const { user, password, servers, caFile } = credentials.bus;
    const ca = await readFile(caFile, 'utf8');
    try {
      const firstWithinMs = FIRST_WITHIN_MS;
      this.#bus = await connectNats({ servers, user, password, ca, name: 'kato', log: silentLog, firstWithinMs });
      this.#away = undefined;
      return this.#bus;
    } catch (error) {
      // It went away just now; or the password was renewed, and not all of that is done.
      if (!(error instanceof Error)) throw error;
      return this.#lacks(error.name === 'AuthorizationError' ? REFUSES : 'does not answer');
    }
  }

  /** Why there was no bus when it was last wanted. */
  whyAway(): string | undefined {
    return this.#away?.why;
  }

  /** Did the bus answer, and refuse this node, when it was last wanted? */
  isRefused(): boolean {
    return this.#away?.isRefused ?? false;
  }

  #lacks(what: string): undefined {
    const { isMicro, roles, coreAddress } = this.#node.file;
    const where = isMicro || roles.includes('primary') ? 'nats' : `the bus on the Core node (${coreAddress})`;
    const isRefused = what === REFUSES;
    const since = this.#away?.isRefused === isRefused ? this.#away.sinceMs : systemClock.nowMs();
    this.#away = { why: `${where} ${what}`, isRefused, sinceMs: since };
    return undefined;
  }

  /** The state of these processes now. `timeoutMs` bounds the wait for those that do not answer. */
  async look(plans: readonly ProcessPlan[], timeoutMs = 2000): Promise<ProcessReport[]> {
    const { supervisor } = this.#node;
    const supervised = (await supervisor.isRunning()) ? await supervisor.list() : await this.#orphans(plans);
    const running = supervised.filter(({ state }) => state === 'RUNNING');
    const answers = running.length > 0 ? await this.#answers(plans, running, timeoutMs) : [];
    return reportProcesses(plans, { supervised, answers, nowMs: systemClock.nowMs(), busIsAway: this.#away?.why });
  }

  /**
   * Waits until these processes are ready.
   *
   * @param options.awayMs with it, the wait ends when the bus was away for so long and nothing else is missing
   * @throws BusIsAway then, or Refusal when it shuts this node out; Refusal naming those that are not ready, with where to look
   */
  async untilReady(
    plans: readonly ProcessPlan[],
    options: { timeoutMs: number; awayMs?: number; signal?: AbortSignal },
  ): Promise<void> {
    const endMs = systemClock.nowMs() + options.timeoutMs;
    for (;;) {
      const late = (await this.look(plans, 500)).filter(({ ready }) => !ready);
      if (late.length === 0) return;
      const { awayMs = Number.POSITIVE_INFINITY } = options;
      if (this.#away !== undefined && systemClock.nowMs() - this.#away.sinceMs >= awayMs) {
        if (late.every(({ state }) => state === 'WAITING')) throw busIsAway(this.#away);
      }
      // Nobody waits any more, when a process that was started has failed meanwhile.
      if (systemClock.nowMs() >= endMs || this.#isClosed) throw notReady(this.#node, late, options.timeoutMs);
      await systemClock.sleep(100, options.signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.#bus?.close();
  }

  async #orphans(plans: readonly ProcessPlan[]): Promise<Supervised[]> {
    const orphans = await this.#node.supervisor.listOrphans(await programsOf(this.#node, plans));
    return orphans.map((orphan) => ({ ...orphan, state: 'ORPHANED', startedAtS: 0 }));
  }

  async #answers(
    plans: readonly ProcessPlan[],
    running: readonly Supervised[],
    timeoutMs: number,
  ): Promise<Readiness[]> {
    const wants = (name: string) => plans.some((plan) => plan.name === name);
    const answers: Readiness[] = [];
    const speakers = plans.filter(({ name }) => !infrastructure.includes(name));
    const bus = speakers.length > 0 ? await this.bus() : undefined;
    if (wants('nats')) {
      const isUp = bus !== undefined || (await this.#isBusUp());
      answers.push({ name: 'nats', unwell: isUp ? undefined : 'refuses connections' });
    }
    if (wants('postgresql')) {
      const isReady = await isPostgresqlReady(this.#node.paths);
      answers.push({ name: 'postgresql', unwell: isReady ? undefined : 'refuses connections' });
    }
    if (wants('link')) {
      const isUp = await canConnect(linkDoor(this.#node.file, this.#node));
      answers.push({ name: 'link', unwell: isUp ? undefined : 'refuses connections' });
    }
    const awaited = speakers.flatMap(({ name, program }) =>
      running.filter((one) => one.name === program).map(({ pid }) => ({ name, pid })),
    );
    if (bus === undefined || awaited.length === 0) return answers;
    const found = await discoverComponents(bus, {
      ...{ timeoutMs, nodeId: this.#node.file.id },
      isWhole: (own) => awaited.every(({ name, pid }) => own.some((one) => one.process === name && one.pid === pid)),
    });
    for (const { process, pid, unwell } of found) {
      if (process !== undefined) answers.push({ name: process, unwell, ...(pid === undefined ? {} : { pid }) });
    }
    return answers;
  }

  #isBusUp(): Promise<boolean> {
    const host = this.#node.file.roles.includes('primary') ? '127.0.0.1' : linkHost;
    // A link accepts connections although what is behind it is away.
    return speaksFirst({ host, port: this.#node.config.bus.port }, FIRST_WITHIN_MS);
  }
}

function notReady(node: Node, late: readonly ProcessReport[], timeoutMs: number): Refusal {
  const lines = late.map(
    ({ name, state, description }) => `  ${name}: ${state}${description ? `, ${description}` : ''}`,
  );
  return new Refusal(
    `not ready within ${Math.round(timeoutMs / 1000)} s:\n${lines.join('\n')}`,
    `read ${late.map(({ name }) => `${node.paths.log}/${name}.log`).join(', ')}`,
  );
}
