import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Static } from 'typebox';
import type { Bus } from '../bus/bus.ts';
import { type ContainerEngine, ContainerError } from '../container/container.ts';
import type { ClusterConfig } from '../contract/config.ts';
import { PlatformError } from '../contract/errors.ts';
import type { StagingResult, StagingStart } from '../contract/messages/staging.ts';
import { resolveStack } from '../contract/stacks.ts';
import { type BuildpackChoice, chooseBuildpacks } from '../core/buildpack-choice.ts';
import { stagingEnvironment } from '../core/staging-env.ts';
import { explainFailure, explainTimeout, lastLinesMark, type StagingFailure } from '../core/staging-failure.ts';
import { formatCandidates, planStaging, type StagingStep } from '../core/staging-plan.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { checkArchive } from './archive.ts';
import { type BuildReport, readLookedFor, readReport } from './build-report.ts';
import type { BuildpackStore } from './buildpack-store.ts';
import { dropletHead } from './droplet-info.ts';
import { findStats } from './foreign-file.ts';
import { StagingContainer } from './staging-container.ts';
import { StagingLog } from './staging-log.ts';
import { download, type UploadOutcome, upload } from './transfer.ts';

export type Request = Static<typeof StagingStart>;
export type Result = Static<typeof StagingResult>;

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

/** Why a task was ended from outside. */
export class TaskStopped extends Error {
  override name = 'TaskStopped';
}

class TimeExpired extends Error {
  override name = 'TimeExpired';
}

class BuildFailed extends Error {
  override name = 'BuildFailed';
  readonly failure: StagingFailure;
  constructor(failure: StagingFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** One package on its way to a droplet. It always ends with a result, never with a throw for what users can cause. */
export class StagingTask {
  readonly request: Request;
  readonly #context: TaskContext;
  readonly #log: StagingLog;
  readonly #stop = new AbortController();
  readonly #folder: string;
  #choice: BuildpackChoice = { mode: 'detect', buildpacks: [] };
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
    });
  }

  /** Name of a task's container. */
  static handleOf(taskId: string): string {
    return `staging-${taskId.toLowerCase()}`;
  }

  stop(because: string): void {
    this.#stop.abort(new TaskStopped(because));
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
      result = this.#succeeded();
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
      'fetch-package': () => this.#fetchPackage(),
      'check-package': () => this.#checkPackage(),
      'fetch-buildpacks': () => this.#fetchBuildpacks(),
      'fetch-cache': () => this.#fetchCache(),
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

  async #fetchPackage(): Promise<void> {
    await mkdir(this.#input(), { recursive: true });
    await chmod(this.#input(), 0o755);
    this.#log.say('Downloading app package...');
    const maxBytes = this.#context.config.controller.maxUploadMb * 1_048_576;
    const found = await download(this.request.download_uri, this.#input('package.zip'), {
      ...this.#transfer('app package'),
      maxBytes,
    });
    if (found === undefined)
      throw new PlatformError('StagingError', 'the app package is not there any more; push again');
  }

  async #checkPackage(): Promise<void> {
    const { maxPackageEntries, maxUnpackedMb } = this.#context.config.controller;
    const { entries, bytes, largestBytes } = await checkArchive(this.#input('package.zip'), {
      maxEntries: maxPackageEntries,
      maxBytes: maxUnpackedMb * 1_048_576,
    });
    if (entries === 0) throw new PlatformError('AppPackageInvalid', 'it is empty; push from the folder of the app');
    await writeFile(this.#input('declared'), `${Math.max(1, Math.ceil(largestBytes / 1024))} ${bytes}\n`);
    this.#log.say(`Downloaded app package (${entries} files, ${formatBytes(bytes)} unpacked)`);
  }

  async #fetchBuildpacks(): Promise<void> {
    const { buildpacks, mode } = this.#choice;
    for (const one of buildpacks) {
      this.#buildpackFolders.push(await this.#context.buildpacks.folderOf(one, this.#stop.signal));
    }
    const candidates = buildpacks.map(({ name, source }, at) =>
      source.kind === 'zip' || source.kind === 'git'
        ? { kind: source.kind, location: source.url, branch: source.branch, name }
        : { kind: 'local' as const, location: StagingContainer.buildpackPath(at), branch: '', name },
    );
    await writeFile(this.#input('candidates'), formatCandidates(candidates));
    await writeFile(this.#input('mode'), mode);
  }

  async #fetchCache(): Promise<void> {
    const { buildpack_cache_download_uri: url, disk_limit } = this.request;
    if (url === null) return;
    try {
      const options = { ...this.#transfer('build cache'), maxBytes: disk_limit * 1_048_576 };
      if ((await download(url, this.#input('cache.tgz'), options)) !== undefined) return;
    } catch (error) {
      this.#stop.signal.throwIfAborted();
      this.#log.say(`Going on without the build cache: ${(error as Error).message}`, 'ERR');
    }
    await rm(this.#input('cache.tgz'), { force: true });
  }

  async #createContainer(): Promise<void> {
    const { request } = this;
    const { caFile } = this.#context.config.staging;
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
      egress: request.egress_network_rules,
      input: this.#input(),
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
    const container = this.#built();
    const report = this.#reported();
    this.#log.say('Uploading droplet, build artifacts cache...');
    const head = dropletHead(
      { detected_buildpack: report.detected, start_command: report.processes.web ?? '', processes: report.processes },
      this.#context.clock.nowMs(),
    );
    const droplet = { prefix: head, file: container.file('packed.tgz') };
    const [uploaded] = await Promise.all([
      upload(this.request.upload_uri, droplet, this.#transfer('droplet')),
      this.#uploadCache(container),
    ]);
    this.#droplet = uploaded;
    this.#log.say(`Uploading complete (droplet ${formatBytes(uploaded.bytes)})`);
  }

  /** A cache that can't be kept makes the next staging slower, not this one wrong. */
  async #uploadCache(container: StagingContainer): Promise<void> {
    const url = this.request.buildpack_cache_upload_uri;
    if (url === null || !(await container.hasFile('cache.tgz'))) return;
    try {
      const cache = { prefix: Buffer.alloc(0), file: container.file('cache.tgz') };
      await upload(url, cache, this.#transfer('build cache'));
    } catch (error) {
      this.#stop.signal.throwIfAborted();
      this.#log.say(`The build cache could not be kept: ${(error as Error).message}`, 'ERR');
    }
  }

  #succeeded(): Result {
    const report = this.#reported();
    const { sha1, sha256, bytes } = this.#droplet ?? { sha1: null, sha256: '', bytes: 0 };
    return {
      ...emptyResult(this.request),
      detected_buildpack: report.detected,
      buildpack_key: report.last.key,
      droplet_sha1: sha1,
      droplet_sha256: sha256,
      droplet_bytes: bytes,
      detected_start_command: report.processes.web ?? null,
      procfile: { ...report.processes },
      buildpacks: report.buildpacks.map((one) => ({ ...one })),
    };
  }

  #failed(error: unknown): Result {
    const failure = this.#explain(error);
    // Whoever reads the log has the last lines above already.
    const [said = ''] = failure.message.split(lastLinesMark);
    for (const line of said.split('\n')) this.#log.say(line, 'ERR');
    if (!(error instanceof BuildFailed || error instanceof PlatformError || error instanceof TaskStopped)) {
      this.#context.log.error('failed-staging', { task: this.request.task_id, app: this.request.app_id, error });
    }
    return failedResult(this.request, failure);
  }

  #explain(error: unknown): StagingFailure {
    if (error instanceof BuildFailed) return error.failure;
    if (error instanceof TimeExpired) return explainTimeout(this.request.timeout_s, this.#log.tail());
    if (error instanceof TaskStopped) return { type: 'StagingError', message: error.message };
    if (error instanceof PlatformError) {
      const detail =
        error.cause instanceof Error && error.kind === 'BuildpackReleaseFailed' ? `: ${error.cause.message}` : '';
      return { type: error.kind, message: `${error.message}${detail}` };
    }
    if (error instanceof ContainerError && error.kind === 'disk-full') {
      return { type: 'StagingError', message: "The stager's disk is full; an operator must free space on it" };
    }
    if (isDiskFull(error)) {
      return { type: 'StagingError', message: "The stager's disk is full; an operator must free space on it" };
    }
    if (error instanceof ContainerError) return { type: 'StagingError', message: `Staging failed: ${error.message}` };
    return { type: 'StagingError', message: `Staging failed: ${(error as Error).message}` };
  }

  async #cleanUp(): Promise<void> {
    try {
      await this.#container?.destroy();
      await rm(this.#folder, { recursive: true, force: true });
    } catch (error) {
      // The result must still be told; what is left is swept when the stager starts.
      this.#context.log.error('failed-to-clean-up', { task: this.request.task_id, error });
    }
  }

  #input(name = ''): string {
    return join(this.#folder, 'in', name);
  }

  #transfer(what: string) {
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

/** A result that says nothing yet; every key is there, as the original sends them. */
export function emptyResult(task: { task_id: string; app_id: string }): Result {
  return {
    task_id: task.task_id,
    app_id: task.app_id,
    detected_buildpack: null,
    buildpack_key: null,
    droplet_sha1: null,
    detected_start_command: null,
    procfile: null,
    error: null,
    error_info: null,
  };
}

/** The result of a task that failed. */
export function failedResult(task: { task_id: string; app_id: string }, failure: StagingFailure): Result {
  return { ...emptyResult(task), error: failure.message, error_info: { ...failure } };
}

function isDiskFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}

function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1_048_576 ? `${Math.round(bytes / 1024)} KB` : `${(bytes / 1_048_576).toFixed(1)} MB`;
}
