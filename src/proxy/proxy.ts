import type { Pool, RouteChange } from '../core/route-table.ts';

export type { Endpoint, Pool } from '../core/route-table.ts';

/** One difference between the table the proxy has and the one it should have. */
export type ProxyChange = RouteChange;

/** One finished request, times in ms. Empty text where there is nothing to say. */
export type AccessRecord = {
  readonly host: string;
  /** When the request began, epoch ms with a fraction. */
  readonly atMs: number;
  readonly method: string;
  /** Path and query as sent. */
  readonly uri: string;
  readonly protocol: string;
  /** 0 when the client left before an answer. */
  readonly status: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly referer: string;
  readonly userAgent: string;
  /** address:port of the caller. */
  readonly client: string;
  /** address:port of the endpoint; empty when none was reached. */
  readonly backend: string;
  readonly forwardedFor: string;
  readonly forwardedProto: string;
  readonly requestId: string;
  /** From the first byte of the request to the last of the answer. */
  readonly totalMs: number;
  /** The part of it spent in the router: reading the request and waiting for a place. */
  readonly routerMs: number;
  readonly app: string;
  readonly instance: string;
  readonly instanceIndex: string;
  readonly routerError: string;
};

/** The data plane of a router: applies changes to what it routes, at run time and without a dropped request. */
export interface DataPlane {
  /** Takes over a data plane that a predecessor left running, with the table it has; undefined when none runs. */
  adopt(): Promise<readonly Pool[] | undefined>;
  /**
   * Starts it with a complete table; it accepts traffic only from then on. Not after a successful `adopt`.
   *
   * @throws Error naming the port and the process that has it when a port is taken
   */
  start(table: readonly Pool[]): Promise<void>;
  /** Applies changes; resolves when requests follow them. */
  apply(changes: readonly ProxyChange[]): Promise<void>;
  /** Says in the answers to health checks whether the table is current; it serves on either way. */
  vouch(isCurrent: boolean): Promise<void>;
  /** Leaves the data plane running: apps outlive the control process. */
  detach(): Promise<void>;
  /** Lets open requests finish, then ends it. */
  stop(): Promise<void>;
  onAccess(listener: (record: AccessRecord) => void): Disposable;
  /** Access records that were lost on the way here since the start. */
  lostRecords(): number;
  /** Undefined when traffic flows, else why not. */
  unwell(): string | undefined;
}
