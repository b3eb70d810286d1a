/** State of a supervised process, in supervisord's words. */
export type SupervisedState =
  | 'STOPPED'
  | 'STARTING'
  | 'RUNNING'
  | 'BACKOFF'
  | 'STOPPING'
  | 'EXITED'
  | 'FATAL'
  | 'UNKNOWN';

export type SupervisedProcess = {
  readonly name: string;
  readonly state: SupervisedState;
  /** 0 when not running. */
  readonly pid: number;
  /** Epoch s; 0 when never started. */
  readonly startedAtS: number;
  readonly description: string;
  readonly logFile: string;
};

/** How one process is run. */
export type Program = {
  readonly name: string;
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly directory?: string;
  /** Lower starts earlier and stops later. */
  readonly priority: number;
  /** SIGTERM to SIGKILL, s. */
  readonly stopWaitS: number;
  readonly stopSignal?: 'TERM' | 'INT' | 'QUIT' | 'USR1';
  /** SIGUSR2 ends it without what it looks after, which its successor takes over. */
  readonly isOutlivedByCharges?: boolean;
};

/** A program that runs on after its supervisor was killed. */
export type Orphan = { readonly name: string; readonly pid: number };

/** A program could not be started; `message` ends with the last lines it wrote. */
export class StartFailed extends Error {
  override name = 'StartFailed';
}

/** Starts, watches and restarts the processes of one node. A started program that ends is started again, for ever. */
export interface Supervisor {
  isRunning(): Promise<boolean>;
  /**
   * Starts the supervisor itself when it is not running; its programs wait to be started. Configured programs that a killed
   * supervisor left behind are ended first, without what they look after.
   */
  ensureRunning(): Promise<void>;
  /**
   * Makes these the programs: changed ones are restarted, without what they look after, missing ones stopped and forgotten, new ones wait to be
   * started.
   */
  configure(programs: readonly Program[]): Promise<void>;
  list(): Promise<SupervisedProcess[]>;
  /**
   * Starts and returns when it runs; does nothing when it does.
   *
   * @throws StartFailed when it ends at once
   */
  start(name: string): Promise<void>;
  /** Stops and returns when it has ended; does nothing when it had. */
  stop(name: string): Promise<void>;
  /** Signals the program alone, not its children. A program that ends by it is started again. */
  signal(name: string, signal: 'USR1' | 'USR2' | 'HUP' | 'KILL'): Promise<void>;
  /** Those of these programs that run on although the supervisor that started them is gone. */
  listOrphans(programs: readonly Program[]): Promise<Orphan[]>;
  /** Stops these programs' orphans, and what they look after, each within its stop wait; returns when none is left. */
  stopOrphans(programs: readonly Program[]): Promise<void>;
  /** Stops every program and the supervisor. */
  shutdown(): Promise<void>;
}
