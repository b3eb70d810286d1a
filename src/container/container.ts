import type { Static } from 'typebox';
import type { EgressRule } from '../contract/messages/dea.ts';

/** A rule of what a container may reach. */
export type Egress = Static<typeof EgressRule>;

export type Limits = {
  readonly memoryMb: number;
  readonly diskMb: number;
  /** Processes and threads. */
  readonly pids: number;
  readonly fds: number;
};

/** Owners in what is writable are seen inside less the engine's `idOffset`, so that containers can share it. */
export type BindMount = {
  readonly source: string;
  readonly destination: string;
  readonly writable: boolean;
};

/** What a container is made of. */
export type ContainerSpec = {
  /** Unique on the node, `[a-z0-9-]{1,64}`; the instance or task id. */
  readonly handle: string;
  /** Name of a stack that was imported, or the key of an image that was prepared from one. */
  readonly root: { readonly stack: string } | { readonly image: string };
  readonly limits: Limits;
  /** Ports inside; each gets a host port of the engine's range that forwards to it. */
  readonly ports: readonly number[];
  readonly egress: readonly Egress[];
  readonly mounts?: readonly BindMount[];
  /** Whose the main process will be. Who tells it now can be given a container made ahead. */
  readonly user?: Pick<ProcessSpec, 'uid' | 'gid'>;
  /** Small facts kept with the container and given back by `list`, also after a restart of the caller. */
  readonly labels?: Readonly<Record<string, string>>;
};

export type ProcessSpec = {
  readonly args: readonly string[];
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Ids inside the container. */
  readonly uid: number;
  readonly gid: number;
};

export type PortMapping = { readonly containerPort: number; readonly hostPort: number };

export type ContainerState = 'created' | 'running' | 'exited';

/** How a container's main process ended. `code` is -1 when unknown, 128 + n after signal n. */
export type Exit = { readonly code: number; readonly outOfMemory: boolean; readonly atMs: number };

export type ContainerInfo = {
  readonly handle: string;
  readonly state: ContainerState;
  /** Address inside the node's container network. */
  readonly address: string;
  readonly ports: readonly PortMapping[];
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAtMs: number;
  readonly exit?: Exit;
};

/** Usage: cumulative CPU in nanoseconds, the rest in bytes and counts. */
export type ContainerStats = {
  readonly cpuNs: number;
  readonly memoryBytes: number;
  readonly diskBytes: number;
  readonly pids: number;
  /** Processes that the kernel ended for want of memory. */
  readonly memoryKills: number;
  /** Processes and threads that the kernel refused because there were as many as there may be. */
  readonly refusedForks: number;
};

/** A piece of a container's output: one line without its end, or a piece of a line longer than 64 KiB. */
export type OutputLine = {
  readonly stream: 'stdout' | 'stderr';
  readonly text: string;
  /** Epoch ns. */
  readonly atNs: bigint;
};

/** Where reading of a container's output may go on later, also after a restart of the caller. */
export type OutputCursor = { readonly file: string; readonly offset: number };

export type ExecOutcome = { readonly code: number; readonly stdout: string; readonly stderr: string };

export type ContainerErrorKind =
  | 'not-found'
  | 'already-exists'
  | 'disk-full'
  | 'no-free-port'
  | 'no-free-address'
  | 'no-such-stack'
  | 'failed';

/** Every failure of the engine: a kind to decide by, a message for people. */
export class ContainerError extends Error {
  override name = 'ContainerError';
  readonly kind: ContainerErrorKind;
  constructor(kind: ContainerErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/**
 * fence, the container engine: containers with their own limits, file system and network that outlive the process
 * that made them. All operations are idempotent where that makes sense: destroying what is not there succeeds.
 *
 * @throws ContainerError from every operation: `not-found` for an unknown handle, else the kind that its text names
 */
export interface ContainerEngine extends AsyncDisposable {
  /**
   * Id n inside a container is id n + idOffset in the files of its root and image, as the host sees them, for users and
   * for groups. Its processes have ids of their own, which nobody else has.
   */
  readonly idOffset: number;

  /** Names of the stacks that can be used. */
  listStacks(): Promise<string[]>;
  /** Makes a stack from a folder or a tar archive; replaces one of the same name for containers to come. */
  importStack(name: string, source: { directory: string } | { tar: string }): Promise<void>;
  removeStack(name: string): Promise<void>;

  /**
   * Makes an image: a copy of a stack changed by `fill`, which gets the folder of its root. Done once per key;
   * simultaneous calls for one key share the work; nothing is left of a failed one. What `fill` makes for the
   * container's users must have their ids on the host: run what unpacks as uid and gid `idOffset` + 2000.
   */
  prepareImage(image: { key: string; stack: string }, fill: (root: string) => Promise<void>): Promise<void>;
  hasImage(key: string): Promise<boolean>;
  listImages(): Promise<string[]>;
  /** Containers made from it go on. */
  removeImage(key: string): Promise<void>;

  /** Creates a container without starting anything in it. */
  create(spec: ContainerSpec): Promise<ContainerInfo>;
  /** Starts the main process. Its end ends the container; it is started once only. */
  start(handle: string, process: ProcessSpec): Promise<void>;
  /**
   * Resolves with how the main process ended; at once when it has already. Works after a restart of the caller.
   * A container that is destroyed while it runs ends with 137; one that never ran rejects with `not-found`.
   */
  wait(handle: string, signal?: AbortSignal): Promise<Exit>;
  /** Signals the main process, or every process with `all`. Does nothing when it has ended. */
  signal(handle: string, name: 'SIGTERM' | 'SIGKILL' | 'SIGINT' | 'SIGHUP', options?: { all?: boolean }): Promise<void>;
  /** Runs one more process in a running container to its end; `failed` when it takes longer than `timeoutMs` (60 s). */
  exec(handle: string, process: ProcessSpec, options?: { timeoutMs?: number; input?: Buffer }): Promise<ExecOutcome>;
  /**
   * The main process's output in order, from the start or from a cursor, ending after its exit is read or the signal
   * fires. `onCursor` is told where reading could go on after each batch that was taken.
   */
  output(
    handle: string,
    options?: { from?: OutputCursor; signal?: AbortSignal; onCursor?: (cursor: OutputCursor) => void },
  ): AsyncIterable<OutputLine[]>;
  /** Folder on the host that is the container's root, for putting files in and taking files out. */
  rootPath(handle: string): Promise<string>;
  setEgress(handle: string, egress: readonly Egress[]): Promise<void>;
  stats(handle: string): Promise<ContainerStats>;
  info(handle: string): Promise<ContainerInfo>;
  /** Every container of this engine, also those made by an earlier process. */
  list(): Promise<ContainerInfo[]>;
  /** Kills everything in it and removes all of it. */
  destroy(handle: string): Promise<void>;

  /**
   * From now on has so many containers made ahead, for specs that name their user. Resolves when they are there; those
   * taken are replaced when no more are asked for. They outlast the engine; 0 removes them.
   */
  keepReady(count: number): Promise<void>;

  /** Free and total bytes of the store. */
  space(): Promise<{ freeBytes: number; totalBytes: number }>;
  /** Removes what belongs to no container: mounts, cgroups, namespaces, addresses, rules. Returns what it removed. */
  sweep(): Promise<string[]>;
  /** Stops watching and ends readers of output. Containers go on; only the fake's end with it. */
  [Symbol.asyncDispose](): Promise<void>;
}
