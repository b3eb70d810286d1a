import type { PayloadOf } from '../contract/subject.ts';
import type { subjects } from '../contract/subjects.ts';
import type { HealthQuestion } from '../core/health-verdict.ts';
import { type InstanceEvent, type InstanceState, transition } from '../core/instance-state.ts';

export type StartMessage = PayloadOf<typeof subjects.deaStart>;
export type HeartbeatEntry = PayloadOf<typeof subjects.deaHeartbeat>['droplets'][number];

/** Port on which apps listen, inside. */
export const appPort = 8080;

/** How an instance ended. */
export type Ending = { readonly status: number; readonly description: string; readonly atMs: number };

/** Where an instance can be reached. */
export type Placement = { readonly address: string; readonly hostPort: number };

/** What is kept of an instance across a restart of this process. */
export type InstanceRecord = {
  readonly instance: string;
  readonly message: StartMessage;
  readonly uris: readonly string[];
  readonly state: InstanceState;
  readonly stateAtMs: number;
  /** When its main process was started; 0 before. */
  readonly startedAtMs: number;
  readonly placement: Placement | undefined;
  readonly ending: Ending | undefined;
};

/** One instance of a process on this DEA. */
export class Instance {
  readonly id: string;
  readonly message: StartMessage;
  /** Routed host names and paths; an update may change them. */
  uris: readonly string[];
  protocols: Readonly<Record<string, string>>;
  startedAtMs = 0;
  placement: Placement | undefined;
  ending: Ending | undefined;
  /** Why its end, when it comes, is our doing: a failed health check. */
  failure: string | undefined;
  /** The launch that is under way; settled when there is none. */
  launching: Promise<void> = Promise.resolve();
  /** The stop that is under way. */
  stopping: Promise<void> | undefined;
  /** Resolves once its output was read to the end. */
  drained: Promise<void> = Promise.resolve();
  /** Fires when the main process ended or the instance is being stopped. */
  readonly over = new AbortController();
  readonly ended = Promise.withResolvers<void>();
  lastCpu: { readonly atMs: number; readonly cpuNs: number; readonly fraction: number } | undefined;
  #state: InstanceState;
  #stateAtMs: number;

  constructor(given: Pick<InstanceRecord, 'instance' | 'message'> & Partial<InstanceRecord>, nowMs: number) {
    this.id = given.instance;
    this.message = given.message;
    this.uris = given.uris ?? given.message.uris;
    this.protocols = given.message.x?.route_protocols ?? {};
    this.startedAtMs = given.startedAtMs ?? 0;
    this.placement = given.placement;
    this.ending = given.ending;
    this.#state = given.state ?? 'BORN';
    this.#stateAtMs = given.stateAtMs ?? nowMs;
  }

  get state(): InstanceState {
    return this.#state;
  }

  get stateAtMs(): number {
    return this.#stateAtMs;
  }

  get appGuid(): string {
    return this.message.x?.app_guid ?? this.message.droplet;
  }

  get processType(): string {
    return this.message.x?.process_type ?? 'web';
  }

  /** Changes the state; false when the event has no meaning in this one. */
  apply(event: InstanceEvent, nowMs: number): boolean {
    const result = transition(this.#state, event);
    if ('refused' in result) return false;
    if (result.to !== this.#state) this.#stateAtMs = nowMs;
    this.#state = result.to;
    return true;
  }

  record(): InstanceRecord {
    return {
      instance: this.id,
      message: this.message,
      uris: this.uris,
      state: this.#state,
      stateAtMs: this.#stateAtMs,
      startedAtMs: this.startedAtMs,
      placement: this.placement,
      ending: this.ending,
    };
  }

  heartbeat(): HeartbeatEntry {
    const { droplet, version, index, cc_partition } = this.message;
    const state_timestamp = this.#stateAtMs / 1000;
    return { droplet, version, instance: this.id, index, state: this.#state, state_timestamp, cc_partition };
  }
}

/** What its health is judged by: as asked for, else a port when it has routes, else that it lives. */
export function healthQuestionOf(message: StartMessage): HealthQuestion & { readonly intervalS: number } {
  const asked = message.x?.health_check;
  return {
    type: asked?.type ?? (message.uris.length > 0 ? 'port' : 'process'),
    endpoint: asked?.endpoint || '/',
    port: appPort,
    budgetS: asked?.timeout_s ?? message.health_check_timeout ?? 60,
    invocationS: asked?.invocation_timeout_s ?? 1,
    intervalS: asked?.interval_s ?? 30,
  };
}
