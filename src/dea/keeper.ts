import type { Bus } from '../bus/bus.ts';
import { type ContainerEngine, ContainerError, type Exit } from '../container/container.ts';
import type { ClusterConfig } from '../contract/config.ts';
import { subjects } from '../contract/subjects.ts';
import { isRouted } from '../core/instance-state.ts';
import { explainCrash } from '../core/shortage.ts';
import { slept } from '../platform/clock.ts';
import type { Boot } from '../platform/config.ts';
import type { AppLog } from './app-log.ts';
import type { Cursors } from './cursors.ts';
import type { DropletStore } from './droplets.ts';
import { awaitHealthy, awaitUnhealthy } from './health-monitor.ts';
import { type Ending, Instance, type StartMessage } from './instance.ts';
import { launch } from './launch.ts';
import { pumpOutput } from './output-pump.ts';
import type { Probe } from './probe.ts';
import { isNodeFault, sayRefused } from './refusal.ts';
import type { Registry } from './registry.ts';
import type { Routes } from './routes.ts';
import { limitsOf, shortageOf } from './shortages.ts';
import type { Snapshot } from './snapshot.ts';

export type ExitReason = 'CRASHED' | 'STOPPED' | 'DEA_SHUTDOWN';

export type KeeperParts = Pick<Boot, 'clock' | 'random' | 'log' | 'node'> & {
  readonly config: ClusterConfig;
  readonly bus: Bus;
  readonly engine: ContainerEngine;
  readonly probe: Probe;
  readonly registry: Registry;
  readonly routes: Routes;
  readonly snapshot: Snapshot;
  readonly cursors: Cursors;
  readonly droplets: DropletStore;
  readonly appLog: AppLog;
  /** Tells the others what is here now: a heartbeat and an advertisement. */
  readonly announce: () => void;
  /** Fires when this process ends and its instances go on. */
  readonly leave: AbortSignal;
};

/** After a failed health check a process that hangs is not given the full grace. */
const FAILED_GRACE_MS = 2000;
/** Output still to be read after the end of a process is waited for so long before its end is written below it. */
const DRAIN_MS = 2000;

/** Keeps instances: starts them, watches them, stops them, and says what became of them. */
export class Keeper {
  readonly #parts: KeeperParts;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /** A new instance; resolves once its main process was started or could not be. */
  start(message: StartMessage): Promise<void> {
    const { registry, clock, random } = this.#parts;
    const instance = new Instance({ instance: random.hex(16), message }, clock.nowMs());
    registry.add(instance);
    return this.launch(instance);
  }

  /** Starts an instance, anew when a predecessor had not finished it. */
  launch(instance: Instance): Promise<void> {
    const { clock, snapshot, announce } = this.#parts;
    instance.apply('start', clock.nowMs());
    announce();
    void snapshot.save();
    instance.launching = this.#launch(instance);
    return instance.launching;
  }

  /** Takes a predecessor's container over: its output, its end, its health, its routes. */
  adopt(instance: Instance, isRunning: boolean): void {
    this.#follow(instance);
    if (!isRunning) return;
    if (isRouted(instance.state)) this.#parts.routes.register(instance);
    void this.#watchHealth(instance);
  }

  /** Says that an instance which a predecessor left is gone without a trace. */
  giveUp(instance: Instance, description: string): void {
    this.#crash(instance, { status: -1, description, atMs: this.#parts.clock.nowMs() });
  }

  /** Stops an instance in order; resolves once nothing is left of it. */
  stop(instance: Instance, reason: ExitReason = 'STOPPED'): Promise<void> {
    instance.stopping ??= this.#stop(instance, reason);
    return instance.stopping;
  }

  /** Finishes a stop that a predecessor had begun. */
  resumeStop(instance: Instance): Promise<void> {
    this.#follow(instance);
    instance.stopping = this.#terminate(instance, this.#parts.config.dea.stopGraceMs).then(() =>
      this.#remove(instance, 'STOPPED'),
    );
    return instance.stopping;
  }

  async #stop(instance: Instance, reason: ExitReason): Promise<void> {
    const { clock, routes, config, appLog, snapshot, announce } = this.#parts;
    const before = instance.state;
    if (!instance.apply('stop', clock.nowMs())) return;
    instance.over.abort(new Error('the instance is being stopped'));
    announce();
    void snapshot.save();
    if (before !== 'CRASHED') appLog.say(instance, `Stopping instance ${instance.id}`);
    if (isRouted(before)) {
      routes.unregister(instance);
      await clock.sleep(config.dea.unrouteDrainMs);
    }
    await instance.launching;
    if (before !== 'CRASHED') await this.#terminate(instance, config.dea.stopGraceMs);
    await this.#remove(instance, before === 'CRASHED' ? undefined : reason);
  }

  /** Removes an instance whose process has ended. */
  async #remove(instance: Instance, reason: ExitReason | undefined): Promise<void> {
    const { clock, appLog, engine, cursors, registry, snapshot, announce } = this.#parts;
    await this.#awaitDrained(instance);
    if (instance.ending && reason !== undefined) appLog.say(instance, `Exit status ${instance.ending.status}`);
    await engine.destroy(instance.id);
    instance.apply(instance.state === 'CRASHED' ? 'reap' : 'stopped', clock.nowMs());
    registry.remove(instance);
    cursors.remove(instance.id);
    if (reason !== undefined) this.#sayExited(instance, reason);
    announce();
    await snapshot.save();
  }

  /** Ends a process that a stop was asked for, also when a predecessor had begun it. */
  async #terminate(instance: Instance, graceMs: number): Promise<void> {
    const { engine, clock } = this.#parts;
    try {
      await engine.signal(instance.id, 'SIGTERM', { all: true });
      const ended = await this.#endedWithin(instance, graceMs);
      if (ended) return;
      await engine.signal(instance.id, 'SIGKILL', { all: true });
      await this.#endedWithin(instance, graceMs);
    } catch (error) {
      if (!(error instanceof ContainerError && error.kind === 'not-found')) throw error;
    }
    instance.ending ??= { status: -1, description: 'unknown', atMs: clock.nowMs() };
  }

  async #endedWithin(instance: Instance, ms: number): Promise<boolean> {
    if (instance.startedAtMs === 0) return true;
    const timer = new AbortController();
    const late = this.#parts.clock.sleep(ms, timer.signal).then(
      () => false,
      () => true,
    );
    const ended = instance.ended.promise.then(() => true);
    const result = await Promise.race([ended, late]);
    timer.abort();
    return result;
  }

  async #launch(instance: Instance): Promise<void> {
    try {
      await launch(this.#parts, instance);
    } catch (error) {
      if (instance.state === 'STOPPING') return;
      if (isNodeFault(error)) return this.#giveBack(instance, error);
      const description = error instanceof Error ? error.message : String(error);
      this.#parts.log.warn('failed-to-start-instance', { instance: instance.id, error });
      this.#crash(instance, { status: -1, description, atMs: this.#parts.clock.nowMs() });
      return;
    }
    void this.#parts.snapshot.save();
    this.#follow(instance);
    if (instance.state === 'STARTING') void this.#watchHealth(instance);
  }

  /** Lets another DEA take a start that this one can't do. */
  async #giveBack(instance: Instance, error: Error): Promise<void> {
    const { log, registry, engine, announce, snapshot } = this.#parts;
    log.warn('refused-start', { instance: instance.id, error });
    registry.remove(instance);
    instance.over.abort(new Error('the start was given back'));
    sayRefused(this.#parts, instance.message, { instance: instance.id, because: error.message });
    announce();
    await engine.destroy(instance.id);
    await snapshot.save();
  }

  #follow(instance: Instance): void {
    const { engine, log, leave } = this.#parts;
    const { logLinesPerS, logKbPerS } = this.#parts.config.dea;
    const limits = { linesPerS: logLinesPerS, platformBytesPerS: logKbPerS * 1024 };
    const pump = { ...this.#parts, limits };
    const isGone = (error: unknown) => error instanceof ContainerError && error.kind === 'not-found';
    instance.drained = pumpOutput(pump, instance, leave).catch((error: unknown) => {
      if (!isGone(error) && !leave.aborted) log.error('failed-to-read-output', { instance: instance.id, error });
    });
    engine.wait(instance.id, leave).then(
      (exit) => this.#exited(instance, exit),
      (error: unknown) => {
        if (leave.aborted) return;
        log.error('lost-container', { instance: instance.id, error });
        this.#exited(instance, { code: -1, outOfMemory: false, atMs: this.#parts.clock.nowMs() });
      },
    );
  }

  #exited(instance: Instance, exit: Exit): void {
    const description = instance.failure ?? describeExit(instance, exit);
    instance.ending ??= { status: exit.code, description, atMs: exit.atMs };
    instance.over.abort(new Error('the instance has ended'));
    instance.ended.resolve();
    if (instance.state === 'STOPPING') return;
    if (isRouted(instance.state)) this.#parts.routes.unregister(instance);
    void this.#explained(instance, instance.ending).then((ending) => this.#crash(instance, ending));
  }

  /** An ending with what of its limits the instance had used up, where that may be why. */
  async #explained(instance: Instance, ending: Ending): Promise<Ending> {
    const { engine, config, log } = this.#parts;
    const isWell = ending.status === 0 && instance.failure === undefined;
    if (isWell || /^out of memory/.test(ending.description)) return ending;
    try {
      const shortage = await shortageOf(engine, instance);
      const why = shortage ? explainCrash(shortage, limitsOf(instance, config.dea.pidsLimit)) : [];
      return { ...ending, description: [ending.description, ...why].join('; ') };
    } catch (error) {
      log.warn('failed-to-explain-crash', { instance: instance.id, error });
      return ending;
    }
  }

  /** Says that an instance crashed, routers first; what is left of it is kept for a look. */
  #crash(instance: Instance, ending: Ending): void {
    const { clock, log, routes, snapshot, announce } = this.#parts;
    const wasRouted = isRouted(instance.state);
    if (!instance.apply('exit', clock.nowMs()) && !instance.apply('fail', clock.nowMs())) return;
    instance.ending = ending;
    instance.over.abort(new Error('the instance has crashed'));
    if (wasRouted) routes.unregister(instance);
    this.#sayExited(instance, 'CRASHED');
    announce();
    const { droplet, index } = instance.message;
    log.info('crashed-instance', { instance: instance.id, droplet, index, ...ending });
    void snapshot.save();
    void this.#sayCrash(instance, ending);
  }

  async #sayCrash(instance: Instance, ending: Ending): Promise<void> {
    const { appLog } = this.#parts;
    await this.#awaitDrained(instance);
    if (instance.startedAtMs > 0) appLog.say(instance, `Exit status ${ending.status}`);
    appLog.say(instance, `Instance ${instance.id} crashed: ${ending.description}`);
  }

  #sayExited(instance: Instance, reason: ExitReason): void {
    const { message, ending, id } = instance;
    const { droplet, version, index, cc_partition } = message;
    this.#parts.bus.publish(subjects.dropletExited, [], {
      ...{ droplet, version, instance: id, index, cc_partition, reason, dea: this.#parts.node.id },
      exit_status: ending?.status ?? -1,
      exit_description: ending?.description ?? 'unknown',
      ...(reason === 'CRASHED' && ending ? { crash_timestamp: Math.floor(ending.atMs / 1000) } : {}),
    });
  }

  async #watchHealth(instance: Instance): Promise<void> {
    const { clock, appLog, routes, snapshot, announce } = this.#parts;
    if (instance.state === 'STARTING') {
      const failure = await awaitHealthy(this.#parts, instance);
      if (instance.over.signal.aborted || this.#parts.leave.aborted) return;
      if (failure !== undefined) return this.#fail(instance, failure);
      instance.apply('healthy', clock.nowMs());
      routes.register(instance);
      announce();
      void snapshot.save();
      appLog.say(instance, 'Container became healthy');
    }
    const failure = await awaitUnhealthy(this.#parts, instance);
    if (failure !== undefined && !instance.over.signal.aborted) await this.#fail(instance, failure);
  }

  async #fail(instance: Instance, failure: string): Promise<void> {
    instance.failure = failure;
    if (isRouted(instance.state)) this.#parts.routes.unregister(instance);
    this.#parts.appLog.say(instance, `Container became unhealthy: ${failure}`);
    await this.#terminate(instance, FAILED_GRACE_MS);
    if (instance.over.signal.aborted) return;
    // A process that even SIGKILL does not end is given up all the same.
    this.#crash(instance, { status: -1, description: failure, atMs: this.#parts.clock.nowMs() });
  }

  async #awaitDrained(instance: Instance): Promise<void> {
    const timer = new AbortController();
    const late = slept(this.#parts.clock, DRAIN_MS, timer.signal);
    await Promise.race([instance.drained, late]);
    timer.abort();
  }
}

function describeExit(instance: Instance, exit: Exit): string {
  if (exit.outOfMemory) return `out of memory: the instance used its ${instance.message.limits.mem} MB`;
  return `APP/PROC/${instance.processType.toUpperCase()}: Exited with status ${exit.code}`;
}
