import type { Bus } from '../bus/bus.ts';
import { askHealth, discoverComponents } from '../bus/discovery.ts';
import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import { platformVersion } from '../contract/version.ts';
import {
  infrastructure,
  type ProcessReport,
  type Readiness,
  reportProcesses,
  type Supervised,
} from '../core/process-status.ts';
import { listProcesses, type ProcessPlan } from '../core/role-plan.ts';
import type { Boot } from '../platform/config.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';

type Announced = PayloadOf<typeof subjects.componentAnnounce>;

const REPORT_EVERY_MS = 5000;
const DISCOVER_TIMEOUT_MS = 500;

export type NodeReporterOptions = {
  readonly bus: Bus;
  readonly boot: Pick<Boot, 'node' | 'clock' | 'log'>;
  readonly supervisor: Supervisor;
  /** Answers of processes that do not speak on the bus themselves. */
  readonly probes: () => Promise<readonly Readiness[]>;
};

/** Says every 5 s, and when asked, what this node's processes do. */
export class NodeReporter implements Disposable {
  readonly #options: NodeReporterOptions;
  readonly #subscriptions: Disposable[];
  readonly #announced = new Map<string, Announced>();
  #reported: readonly ProcessReport[] = [];

  constructor(options: NodeReporterOptions) {
    this.#options = options;
    const { bus, boot } = options;
    this.#subscriptions = [
      bus.subscribe(subjects.nodeFind, [], async (_empty, message) => message.respond(await this.look())),
      bus.subscribe(subjects.componentAnnounce, [], (component) => this.#note(component)),
      boot.clock.every(REPORT_EVERY_MS, () => this.report()),
    ];
  }

  async report(): Promise<void> {
    try {
      this.#options.bus.publish(subjects.nodeStatus, [], await this.look());
    } catch (error) {
      this.#options.boot.log.warn('failed-to-look-at-processes', { error });
    }
  }

  async look(): Promise<PayloadOf<typeof subjects.nodeStatus>> {
    const { boot, supervisor, probes } = this.#options;
    const plans = listProcesses(boot.node);
    const [supervised, probed] = await Promise.all([supervisor.list(), probes()]);
    const pids = supervised.filter(({ state }) => state === 'RUNNING').map(({ pid }) => pid);
    const answers = [...probed, ...(await this.#askOwn(pids, speakersOf(plans, supervised)))];
    const processes = reportProcesses(plans, { supervised, answers, nowMs: boot.clock.nowMs() });
    this.#logChanges(processes);
    return {
      node: boot.node.id,
      address: boot.node.address,
      version: platformVersion,
      roles: boot.node.roles,
      processes,
    };
  }

  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
  }

  /** Asks the node's own components over loopback; the whole bus only for those that were not heard of yet. */
  async #askOwn(pids: readonly number[], speakers: readonly ProcessPlan[]): Promise<Readiness[]> {
    const { bus, boot } = this.#options;
    for (const [key, { pid = 0 }] of this.#announced) if (!pids.includes(pid)) this.#announced.delete(key);
    const missing = speakers.filter(({ name }) => !this.#announced.has(name));
    if (missing.length > 0) {
      const isWhole = (own: readonly Announced[]) =>
        missing.every(({ name }) => own.some(({ process, pid = 0 }) => process === name && pids.includes(pid)));
      const options = { timeoutMs: DISCOVER_TIMEOUT_MS, nodeId: boot.node.id, isWhole };
      for (const component of await discoverComponents(bus, options)) this.#note(component);
    }
    const known = [...this.#announced.values()].filter(({ pid = 0 }) => pids.includes(pid));
    return Promise.all(
      known.map(async (component) => ({
        name: component.process ?? '',
        unwell: await askHealth(component, DISCOVER_TIMEOUT_MS),
        ...(component.pid === undefined ? {} : { pid: component.pid }),
      })),
    );
  }

  #note(component: Announced): void {
    if (component.process === undefined || !component.uuid.endsWith(`-${this.#options.boot.node.id}`)) return;
    this.#announced.set(component.process, component);
  }

  #logChanges(processes: readonly ProcessReport[]): void {
    for (const process of processes) {
      const before = this.#reported.find(({ name }) => name === process.name);
      if (before?.state === process.state && before.pid === process.pid) continue;
      this.#options.boot.log.info('saw-process', { name: process.name, state: process.state, pid: process.pid });
    }
    this.#reported = processes;
  }
}

/** Processes that answer on the bus and are said to run. */
function speakersOf(plans: readonly ProcessPlan[], supervised: readonly Supervised[]): ProcessPlan[] {
  const running = new Set(supervised.filter(({ state }) => state === 'RUNNING').map(({ name }) => name));
  return plans.filter(({ name, program }) => !infrastructure.includes(name) && running.has(program));
}
