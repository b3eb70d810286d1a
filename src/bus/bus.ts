import type { Static, TSchema } from 'typebox';
import type { Subject } from '../contract/subject.ts';

/** What a handler learns besides the payload. */
export type Message<R> = {
  /** The subject as published, with wildcards filled in. */
  readonly subject: string;
  /** Was an answer asked for? */
  readonly wantsReply: boolean;
  /** Answers; may be called several times (staging answers twice). Does nothing when no answer was asked for. */
  readonly respond: (reply: R) => void;
};

export type RequestOptions<R> = {
  /** Collecting ends after this, ms. */
  readonly timeoutMs: number;
  /** Collecting ends after this many replies, or as soon as this holds of them; default 1. */
  readonly expected?: number | ((replies: readonly R[]) => boolean);
  readonly signal?: AbortSignal;
};

export type BusStatus = 'connected' | 'disconnected' | 'closed';

/**
 * The message bus. Delivery is at most once and in order per publisher and subject; whoever needs more repeats
 * itself. A payload that does not decode is logged once per subject and dropped.
 */
export interface Bus {
  /** Sends and forgets. While disconnected, messages wait in the client's bounded buffer. */
  publish<P extends readonly string[], T extends TSchema>(
    subject: Subject<P, T, TSchema>,
    params: NoInfer<P>,
    payload: Static<T>,
  ): void;
  /** Sends with an inbox and gathers replies until those `expected` came or time is up; never rejects for silence. */
  request<P extends readonly string[], T extends TSchema, R extends TSchema>(
    subject: Subject<P, T, R>,
    params: NoInfer<P>,
    payload: Static<T>,
    options: RequestOptions<Static<R>>,
  ): Promise<Static<R>[]>;
  /**
   * Hears a subject; `*` as a parameter hears all. With `queue`, one member of the queue group gets each message.
   * Handlers of one subscription run one after another when they return promises and `serial` is set.
   */
  subscribe<P extends readonly string[], T extends TSchema, R extends TSchema>(
    subject: Subject<P, T, R>,
    params: NoInfer<P>,
    handler: (payload: Static<T>, message: Message<Static<R>>) => unknown,
    options?: { queue?: string; serial?: boolean },
  ): Disposable;
  /** Resolves when the server has processed everything published and subscribed so far. */
  flush(): Promise<void>;
  /** Calls back on each change of the connection. Registrants repeat themselves after 'connected'. */
  onStatus(listener: (status: BusStatus) => void): Disposable;
  status(): BusStatus;
  /** Delivers what is pending, then closes. */
  close(): Promise<void>;
}
