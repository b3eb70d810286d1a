import type { Bus } from '../bus/bus.ts';
import { type Discovered, discoverComponents } from '../bus/discovery.ts';
import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import { platformVersion } from '../contract/version.ts';
import { type ProcessReport, type Readiness, reportProcesses } from '../core/process-status.ts';
import { listProcesses } from '../core/role-plan.ts';
import type { Boot } from '../platform/config.ts';
import type { Supervisor } from '../supervisor/supervisor.ts';

const REPORT_EVERY_MS = 5000;
const DISCOVER_TIMEOUT_MS = 500;
/** The bus and the database do not answer on the bus. */
const infrastructure = ['nats', 'postgresql'];

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
  #reported: readonly ProcessReport[] = [];

  constructor(options: NodeReporterOptions) {
    this.#options = options;
    const { bus, boot } = options;
    this.#subscriptions = [
      bus.subscribe(subjects.nodeFind, [], async (_empty, message) => message.respond(await this.look())),
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
    const { bus, boot, supervisor, probes } = this.#options;
    const plans = listProcesses(boot.node.roles);
    const speakers = plans.filter(({ name }) => !infrastructure.includes(name));
    const [supervised, probed, discovered] = await Promise.all([
      supervisor.list(),
      probes(),
      discoverComponents(bus, { timeoutMs: DISCOVER_TIMEOUT_MS, expected: speakers.length }),
    ]);
    const pids = new Set(supervised.map(({ pid }) => pid));
    const answers = [...probed, ...discovered.filter(({ pid }) => pid !== undefined && pids.has(pid)).map(toReadiness)];
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

  #logChanges(processes: readonly ProcessReport[]): void {
    for (const process of processes) {
      const before = this.#reported.find(({ name }) => name === process.name);
      if (before?.state === process.state && before.pid === process.pid) continue;
      this.#options.boot.log.info('saw-process', { name: process.name, state: process.state, pid: process.pid });
    }
    this.#reported = processes;
  }
}

function toReadiness({ process = '', pid, unwell }: Discovered): Readiness {
  return { name: process, unwell, ...(pid === undefined ? {} : { pid }) };
}
