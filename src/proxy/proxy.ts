/** One place a request can go. */
export type Endpoint = {
  /** Unique: the instance id; requests carry it on and stickiness names it. */
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly index: string;
  readonly protocol: 'http1' | 'http2';
};

/** All that answers at one uri (`host`, `host/path` or `*.domain`). `app` is for log lines and headers. */
export type Pool = {
  readonly uri: string;
  readonly app: string;
  readonly endpoints: readonly Endpoint[];
};

/** One difference between the table the proxy has and the one it should have. */
export type ProxyChange =
  | { readonly do: 'add-route'; readonly uri: string; readonly app: string }
  | { readonly do: 'remove-route'; readonly uri: string }
  | { readonly do: 'add-endpoint'; readonly uri: string; readonly endpoint: Endpoint }
  | { readonly do: 'remove-endpoint'; readonly uri: string; readonly endpoint: Endpoint };

/** One finished request, times in ms. */
export type AccessRecord = {
  readonly host: string;
  readonly atMs: number;
  readonly method: string;
  readonly uri: string;
  readonly protocol: string;
  readonly status: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly referer: string;
  readonly userAgent: string;
  readonly client: string;
  readonly backend: string;
  readonly forwardedFor: string;
  readonly forwardedProto: string;
  readonly requestId: string;
  readonly totalMs: number;
  readonly app: string;
  readonly instance: string;
  readonly instanceIndex: string;
  readonly routerError: string;
};

/** The data plane of a router: applies changes to what it routes, at run time and without a dropped request. */
export interface Proxy {
  /** Starts it with a complete table; it accepts traffic only when this resolves. Adopts one that still runs. */
  start(table: readonly Pool[]): Promise<void>;
  /** Applies changes in order; resolves when requests follow them. */
  apply(changes: readonly ProxyChange[]): Promise<void>;
  /** Leaves the data plane running: apps outlive the control process. */
  detach(): Promise<void>;
  /** Lets open requests finish, then ends it. */
  stop(): Promise<void>;
  onAccess(listener: (record: AccessRecord) => void): Disposable;
}
