import { chown, mkdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { BindMount, ContainerEngine, Egress, Exit } from '../container/container.ts';
import { stagingPaths } from '../core/staging-env.ts';
import { findStats, openForeign } from './foreign-file.ts';
import type { StagingLog } from './staging-log.ts';

export type StagingContainerSpec = {
  readonly handle: string;
  readonly taskId: string;
  readonly stack: string;
  readonly memoryMb: number;
  readonly diskMb: number;
  readonly egress: readonly Egress[];
  /** Folder on the host with the package, the build cache and the list of candidates. */
  readonly input: string;
  /** Folders on the host, by their number in the list of candidates. */
  readonly buildpacks: readonly (string | undefined)[];
  /** Folder on the host with `builder.sh`. */
  readonly builder: string;
};

const VCAP = { uid: 2000, gid: 2000 };
const MAX_TEXT_BYTES = 1024 * 1024;

const insideBuildpack = (at: number) => `${stagingPaths.staging}/${StagingContainer.buildpackPath(at)}`;

/** Label of every container that stages; its value is the task's id. */
export const taskLabel = 'staging-task';

/** The container of one task: made, run once, read, destroyed. */
export class StagingContainer {
  readonly #engine: ContainerEngine;
  readonly #spec: StagingContainerSpec;
  #output = '';

  constructor(engine: ContainerEngine, spec: StagingContainerSpec) {
    this.#engine = engine;
    this.#spec = spec;
  }

  /** Where a buildpack is seen inside, below the staging folder. */
  static buildpackPath(at: number): string {
    return `buildpacks/${at}`;
  }

  async create(): Promise<void> {
    const { handle, stack, memoryMb, diskMb, egress, taskId } = this.#spec;
    await this.#engine.create({
      handle,
      root: { stack },
      limits: { memoryMb, diskMb, pids: 1024, fds: 16_384 },
      ports: [],
      egress,
      mounts: this.#mounts(),
      labels: { [taskLabel]: taskId },
    });
    await this.#prepareFolders(await this.#engine.rootPath(handle));
  }

  /** Runs the build to its end, its output into the log. */
  async run(env: Readonly<Record<string, string>>, log: StagingLog, signal: AbortSignal): Promise<Exit> {
    const { handle } = this.#spec;
    await this.#engine.start(handle, {
      args: ['/bin/bash', `${stagingPaths.builder}/builder.sh`, stagingPaths.staging, stagingPaths.home],
      env,
      cwd: stagingPaths.home,
      ...VCAP,
    });
    for await (const lines of this.#engine.output(handle, { signal })) log.printed(lines);
    log.printedAll();
    signal.throwIfAborted();
    return this.#engine.wait(handle, signal);
  }

  /** A small text that the build left; undefined when it left none. */
  async readText(name: string): Promise<string | undefined> {
    if (!(await this.hasFile(name))) return undefined;
    await using file = await openForeign(this.file(name));
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_TEXT_BYTES), 0, MAX_TEXT_BYTES, 0);
    return buffer.toString('utf8', 0, bytesRead);
  }

  async hasFile(name: string): Promise<boolean> {
    return (await findStats(this.file(name)))?.isFile() ?? false;
  }

  /** Path on the host of what the build left; foreign, to be opened with `openForeign` only. */
  file(name: string): string {
    return join(this.#output, name);
  }

  async diskBytes(): Promise<number> {
    return (await this.#engine.stats(this.#spec.handle)).diskBytes;
  }

  async destroy(): Promise<void> {
    await this.#engine.destroy(this.#spec.handle);
  }

  #mounts(): BindMount[] {
    const readOnly = (source: string, destination: string): BindMount => ({ source, destination, writable: false });
    const { input, builder, buildpacks } = this.#spec;
    return [
      readOnly(input, stagingPaths.input),
      readOnly(builder, stagingPaths.builder),
      ...buildpacks.flatMap((folder, at) => (folder === undefined ? [] : [readOnly(folder, insideBuildpack(at))])),
    ];
  }

  /**
   * `/staging` belongs to the container's root, so that the app's user can't put links in the place of the folders
   * that are read from outside; `out` and `cache` in it are the user's.
   */
  async #prepareFolders(root: string): Promise<void> {
    const { uid: rootUid, gid: rootGid } = await stat(root);
    const home = join(root, stagingPaths.home);
    await mkdir(home, { recursive: true });
    const user = await stat(home);
    const { staging, output, cache, buildpacks, input, builder } = stagingPaths;
    const mounted = this.#spec.buildpacks.map((_, at) => insideBuildpack(at));
    for (const path of [staging, input, builder, buildpacks, ...mounted, output, cache]) {
      await mkdir(join(root, path), { recursive: true });
      const isUsers = path === output || path === cache;
      await chown(join(root, path), isUsers ? user.uid : rootUid, isUsers ? user.gid : rootGid);
    }
    this.#output = join(root, output);
  }
}
