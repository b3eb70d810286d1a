import { chmod, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ClusterConfig } from '../contract/config.ts';
import { PlatformError } from '../contract/errors.ts';
import { formatBytes } from '../contract/units.ts';
import type { BuildpackChoice } from '../core/buildpack-choice.ts';
import { formatCandidates } from '../core/staging-plan.ts';
import { checkArchive } from './archive.ts';
import type { BuildpackStore } from './buildpack-store.ts';
import { StagingContainer } from './staging-container.ts';
import type { StagingLog } from './staging-log.ts';
import type { Request } from './staging-result.ts';
import { download, type TransferOptions } from './transfer.ts';

export type StagingInputOptions = {
  readonly request: Request;
  readonly folder: string;
  readonly log: StagingLog;
  readonly limits: Pick<ClusterConfig['controller'], 'maxUploadMb' | 'maxPackageEntries' | 'maxUnpackedMb'>;
  readonly transfer: (what: string) => TransferOptions;
};

const MB = 1_048_576;

/** What a task fetches before its container is made: a folder that the build reads. */
export class StagingInput {
  readonly #options: StagingInputOptions;

  constructor(options: StagingInputOptions) {
    this.#options = options;
  }

  get folder(): string {
    return this.#options.folder;
  }

  async fetchPackage(): Promise<void> {
    const { request, folder, log, limits, transfer } = this.#options;
    await mkdir(folder, { recursive: true });
    await chmod(folder, 0o755);
    log.say('Downloading app package...');
    const found = await download(request.download_uri, this.#path('package.zip'), {
      ...transfer('app package'),
      maxBytes: limits.maxUploadMb * MB,
    });
    if (found === undefined)
      throw new PlatformError('StagingError', 'the app package is not there any more; push again');
  }

  async checkPackage(): Promise<void> {
    const { maxPackageEntries, maxUnpackedMb } = this.#options.limits;
    const { entries, bytes, largestBytes } = await checkArchive(this.#path('package.zip'), {
      maxEntries: maxPackageEntries,
      maxBytes: maxUnpackedMb * MB,
    });
    if (entries === 0) throw new PlatformError('AppPackageInvalid', 'it is empty; push from the folder of the app');
    await writeFile(this.#path('declared'), `${Math.max(1, Math.ceil(largestBytes / 1024))} ${bytes}\n`);
    this.#options.log.say(`Downloaded app package (${entries} files, ${formatBytes(bytes)} unpacked)`);
  }

  /** Gives the folders of the chosen buildpacks; undefined for one that the container fetches. */
  async fetchBuildpacks(
    { buildpacks, mode }: BuildpackChoice,
    store: BuildpackStore,
    signal: AbortSignal,
  ): Promise<(string | undefined)[]> {
    const folders: (string | undefined)[] = [];
    for (const one of buildpacks) folders.push(await store.folderOf(one, this.#options.request.task_id, signal));
    const candidates = buildpacks.map(({ name, source }, at) =>
      source.kind === 'zip' || source.kind === 'git'
        ? { kind: source.kind, location: source.url, branch: source.branch, name }
        : { kind: 'local' as const, location: StagingContainer.buildpackPath(at), branch: '', name },
    );
    await writeFile(this.#path('candidates'), formatCandidates(candidates));
    await writeFile(this.#path('mode'), mode);
    return folders;
  }

  /** A cache that can't be had makes the staging slower, not wrong. */
  async fetchCache(signal: AbortSignal): Promise<void> {
    const { request, log, transfer } = this.#options;
    const { buildpack_cache_download_uri: url, disk_limit } = request;
    if (url === null) return;
    try {
      const options = { ...transfer('build cache'), maxBytes: disk_limit * MB };
      if ((await download(url, this.#path('cache.tgz'), options)) !== undefined) return;
    } catch (error) {
      signal.throwIfAborted();
      log.say(`Going on without the build cache: ${(error as Error).message}`, 'ERR');
    }
    await rm(this.#path('cache.tgz'), { force: true });
  }

  #path(name: string): string {
    return join(this.folder, name);
  }
}
