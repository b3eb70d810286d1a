import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bus } from '../bus/bus.ts';
import type { ContainerEngine } from '../container/container.ts';
import type { ClusterConfig } from '../contract/config.ts';
import { PlatformError } from '../contract/errors.ts';
import { resolveStack } from '../contract/stacks.ts';
import { type BuildpackChoice, chooseBuildpacks } from '../core/buildpack-choice.ts';
import { registryServers } from '../core/registry-servers.ts';
import { stagingEnvironment } from '../core/staging-env.ts';
import { explainFailure, lastLinesMark } from '../core/staging-failure.ts';
import { planStaging, type StagingStep } from '../core/staging-plan.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { type BuildReport, readLookedFor, readReport } from './build-report.ts';
import type { BuildpackStore } from './buildpack-store.ts';
import { findStats } from './foreign-file.ts';
import { registryEgress } from './registry-egress.ts';
import { StagingContainer } from './staging-container.ts';
import { BuildFailed, explainFault, isUnexpected, TaskStopped, TimeExpired } from './staging-fault.ts';
import { StagingInput } from './staging-input.ts';
import { StagingLog } from './staging-log.ts';
import { uploadOutput } from './staging-output.ts';
import { failedResult, type Request, type Result, stagedResult } from './staging-result.ts';
import type { TransferOptions, UploadOutcome } from './transfer.ts';

export type TaskContext = {
  readonly bus: Bus;
  readonly engine: ContainerEngine;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: Pick<ClusterConfig, 'staging' | 'controller'>;
  readonly buildpacks: BuildpackStore;
  /** Folder for what tasks fetch. */
  readonly folder: string;
  /** Folder with `builder.sh`. */
  readonly builder: string;
};

/** One package on its way to a droplet. It always ends with a result, never with a throw for what users can cause. */
export class StagingTask {
  readonly request: Request;
  readonly #context: TaskContext;
  readonly #log: StagingLog;
  readonly #stop = new AbortController();
  readonly #folder: string;
  #choice: BuildpackChoice = { mode: 'detect', buildpacks: [] };
  readonly #input: StagingInput;
  #buildpackFolders: (string | undefined)[] = [];
  #container: StagingContainer | undefined;
  #report: BuildReport | undefined;
  #droplet: UploadOutcome | undefined;

  constructor(request: Request, context: TaskContext) {
    this.request = request;
    this.#context = context;
    this.#folder = join(context.folder, request.task_id);
    this.#log = new StagingLog({
      bus: context.bus,
      clock: context.clock,
      appGuid: request.app_id,
      tags: request.properties.tags,
      limits: context.config.staging,
    });
    this.#input = new StagingInput({
      request,
      folder: join(this.#folder, 'in'),
      log: this.#log,
      limits: context.config.controller,
      transfer: (what) => this.#transfer(what),
    });
  }

  /** Name of a task's container. */
  static handleOf(taskId: string): string {
    return `staging-${taskId.toLowerCase()}`;
  }

  /** Ends it; it was interrupted when it may as well be staged elsewhere. */
  stop(because: string, options: { isInterruption: boolean }): void {
    this.#stop.abort(new TaskStopped(because, options));
  }

  async run(): Promise<Result> {
    const { log, clock } = this.#context;
    const { task_id, app_id, timeout_s } = this.request;
    const startedMs = clock.nowMs();
    const alarm = new AbortController();
    const expiry = clock.sleep(timeout_s * 1000, alarm.signal).then(
      () => this.#stop.abort(new TimeExpired()),
      () => undefined,
    );
    let result: Result;
    try {
      for (const step of planStaging({ hasCache: this.request.buildpack_cache_download_uri !== null })) {
        log.debug('staging-step', { task: task_id, step: step.kind, because: step.because });
        await this.#do(step.kind);
        this.#stop.signal.throwIfAborted();
      }
      if (!this.#droplet) throw new Error('the droplet was not uploaded');
      result = stagedResult(this.request, this.#reported(), this.#droplet);
    } catch (error) {
      result = this.#failed(this.#stop.signal.aborted ? this.#stop.signal.reason : error);
    } finally {
      alarm.abort();
      await expiry;
      await this.#cleanUp();
    }
    this.#log.flush();
    log.info('staged', {
      task: task_id,
      app: app_id,
      took_ms: clock.nowMs() - startedMs,
      buildpack: result.detected_buildpack,
      failure: result.error_info?.type,
    });
    return result;
  }

  #do(step: StagingStep['kind']): Promise<void> | void {
    const steps: Record<StagingStep['kind'], () => Promise<void> | void> = {
      'choose-buildpacks': () => this.#choose(),
      'fetch-package': () => this.#input.fetchPackage(),
      'check-package': () => this.#input.checkPackage(),
      'fetch-buildpacks': () => this.#fetchBuildpacks(),
      'fetch-cache': () => this.#input.fetchCache(this.#stop.signal),
      'create-container': () => this.#createContainer(),
      build: () => this.#build(),
      'read-result': () => this.#readResult(),
      upload: () => this.#upload(),
      finish: () => this.#log.say('Exit status 0'),
    };
    return steps[step]();
  }

  #choose(): void {
    const { buildpacks } = this.request.properties;
    const choice = chooseBuildpacks(buildpacks, this.request.admin_buildpacks);
    if ('error' in choice) throw new PlatformError('StagingError', choice.error);
    this.#choice = choice;
  }

  async #fetchBuildpacks(): Promise<void> {
    const { buildpacks } = this.#context;
    this.#buildpackFolders = await this.#input.fetchBuildpacks(this.#choice, buildpacks, this.#stop.signal);
  }

  async #createContainer(): Promise<void> {
    const { request } = this;
    const { staging } = this.#context.config;
    const { caFile } = staging;
    if (caFile !== '' && !(await findStats(caFile))) {
      throw new PlatformError('StagingError', `the file ${caFile} named by 'staging.caFile' is not on the stager`);
    }
    this.#log.say('Creating container for staging...');
    this.#container = new StagingContainer(this.#context.engine, {
      handle: StagingTask.handleOf(request.task_id),
      taskId: request.task_id,
      stack: resolveStack(request.stack),
      memoryMb: request.memory_limit,
      diskMb: request.disk_limit,
      egress: [...request.egress_network_rules, ...(await registryEgress(registryServers(staging), this.#context))],
      input: this.#input.folder,
      buildpacks: this.#buildpackFolders,
      builder: this.#context.builder,
    });
    await this.#container.create();
    this.#log.say('Successfully created container');
  }

  async #build(): Promise<void> {
    const { properties, stack, memory_limit, disk_limit, timeout_s } = this.request;
    const container = this.#built();
    const env = stagingEnvironment({
      appEnvironment: properties.environment,
      vcapApplication: properties.vcap_application,
      vcapServices: properties.vcap_services,
      stack,
      memoryMb: memory_limit,
      timeoutS: timeout_s,
      settings: this.#context.config.staging,
    });
    const exit = await container.run(env, this.#log, this.#stop.signal);
    if (exit.code === 0) return;
    throw new BuildFailed(
      explainFailure({
        exitCode: exit.code,
        outOfMemory: exit.outOfMemory,
        memoryMb: memory_limit,
        diskMb: disk_limit,
        diskBytes: await container.diskBytes(),
        buildpack: (await container.readText('at-work')) ?? '',
        lookedFor: await readLookedFor(container),
        tail: this.#log.tail(),
      }),
    );
  }

  async #readResult(): Promise<void> {
    this.#report = await readReport(this.#built(), this.#choice.buildpacks);
    if (this.#report.processes.web === undefined && Object.keys(this.#report.processes).length === 0) {
      this.#log.say('No start command specified by buildpack or via Procfile.');
      this.#log.say('The app starts only when a command is given with the push or in the manifest.');
    }
  }

  async #upload(): Promise<void> {
    this.#droplet = await uploadOutput({
      request: this.request,
      container: this.#built(),
      report: this.#reported(),
      log: this.#log,
      transfer: (what) => this.#transfer(what),
    });
  }

  #failed(error: unknown): Result {
    const failure = explainFault(error, { timeoutS: this.request.timeout_s, tail: this.#log.tail() });
    // Whoever reads the log has the last lines above already.
    const [said = ''] = failure.message.split(lastLinesMark);
    for (const line of said.split('\n')) this.#log.say(line, 'ERR');
    if (isUnexpected(error)) {
      this.#context.log.error('failed-staging', { task: this.request.task_id, app: this.request.app_id, error });
    }
    return failedResult(this.request, failure);
  }

  async #cleanUp(): Promise<void> {
    try {
      await this.#container?.destroy();
      this.#context.buildpacks.release(this.request.task_id);
      await rm(this.#folder, { recursive: true, force: true });
    } catch (error) {
      // The result must still be told; what is left is swept when the stager starts.
      this.#context.log.error('failed-to-clean-up', { task: this.request.task_id, error });
    }
  }

  #transfer(what: string): TransferOptions {
    return { clock: this.#context.clock, signal: this.#stop.signal, what };
  }

  #built(): StagingContainer {
    if (!this.#container) throw new Error('the container was not created');
    return this.#container;
  }

  #reported(): BuildReport {
    if (!this.#report) throw new Error('the build was not read');
    return this.#report;
  }
}
