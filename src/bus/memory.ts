import type { Static, TSchema } from 'typebox';
import type { Subject } from '../contract/subject.ts';
import { type Log, silentLog } from '../platform/log.ts';
import type { Bus, BusStatus, Message, RequestOptions } from './bus.ts';
import { encodePayload, PayloadDecoder } from './codec.ts';
import { dispatcher, isEnough } from './subscription.ts';

type Deliver = (subject: string, bytes: Uint8Array, reply: string | undefined) => void;
type Listener = { pattern: string[]; queue: string | undefined; deliver: Deliver };

/** The server side of the in-process bus; several MemoryBus clients share one. */
export class MemoryBroker {
  #listeners = new Set<Listener>();
  #turn = 0;
  #inboxes = 0;

  newInbox(): string {
    this.#inboxes += 1;
    return `_INBOX.${this.#inboxes}`;
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  publish(subject: string, bytes: Uint8Array, reply?: string): void {
    const groups = new Map<string, Listener[]>();
    const tokens = subject.split('.');
    for (const listener of this.#listeners) {
      if (!matches(listener.pattern, tokens)) continue;
      if (listener.queue === undefined) queueMicrotask(() => this.#deliver(listener, subject, bytes, reply));
      else groups.set(listener.queue, [...(groups.get(listener.queue) ?? []), listener]);
    }
    for (const members of groups.values()) {
      const member = members[this.#turn++ % members.length];
      if (member) queueMicrotask(() => this.#deliver(member, subject, bytes, reply));
    }
  }

  #deliver(listener: Listener, subject: string, bytes: Uint8Array, reply?: string): void {
    if (this.#listeners.has(listener)) listener.deliver(subject, bytes, reply);
  }
}

/** A bus inside one process, for simulations and component tests. Payloads cross it as bytes, like on the wire. */
export class MemoryBus implements Bus {
  readonly #broker: MemoryBroker;
  readonly #log: Log;
  readonly #decoder: PayloadDecoder;
  readonly #open = new Set<() => void>();
  readonly #handling = new Set<Promise<void>>();
  readonly #statusListeners = new Set<(status: BusStatus) => void>();
  #status: BusStatus = 'connected';

  constructor(broker = new MemoryBroker(), log: Log = silentLog) {
    this.#broker = broker;
    this.#log = log;
    this.#decoder = new PayloadDecoder(log);
  }

  publish<P extends readonly string[], T extends TSchema>(
    subject: Subject<P, T, TSchema>,
    params: NoInfer<P>,
    payload: Static<T>,
  ): void {
    if (this.#status === 'connected') this.#broker.publish(subject.name(...params), encodePayload(payload));
  }

  request<P extends readonly string[], T extends TSchema, R extends TSchema>(
    subject: Subject<P, T, R>,
    params: NoInfer<P>,
    payload: Static<T>,
    options: RequestOptions<Static<R>>,
  ): Promise<Static<R>[]> {
    const name = subject.name(...params);
    const replies: Static<R>[] = [];
    const inbox = this.#broker.newInbox();
    const { promise, resolve } = Promise.withResolvers<Static<R>[]>();
    const stop = this.#broker.listen({
      pattern: inbox.split('.'),
      queue: undefined,
      deliver: (_subject, bytes) => {
        const reply = this.#decoder.decode(subject.reply, `${name} (reply)`, bytes);
        if (reply !== undefined) replies.push(reply);
        if (isEnough(replies, options)) finish();
      },
    });
    const finish = () => {
      stop();
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', finish);
      resolve(replies);
    };
    const timer = setTimeout(finish, options.timeoutMs);
    options.signal?.addEventListener('abort', finish, { once: true });
    if (this.#status === 'connected') this.#broker.publish(name, encodePayload(payload), inbox);
    return promise;
  }

  subscribe<P extends readonly string[], T extends TSchema, R extends TSchema>(
    subject: Subject<P, T, R>,
    params: NoInfer<P>,
    handler: (payload: Static<T>, message: Message<Static<R>>) => unknown,
    options: { queue?: string; serial?: boolean } = {},
  ): Disposable {
    const name = subject.name(...params);
    const dispatch = dispatcher(name, handler, { serial: options.serial ?? false, log: this.#log });
    const stop = this.#broker.listen({
      pattern: name.split('.'),
      queue: options.queue,
      deliver: (heard, bytes, reply) => {
        if (this.#status !== 'connected') return;
        const payload = this.#decoder.decode(subject.payload, name, bytes);
        if (payload === undefined) return;
        const respond = (answer: Static<R>) => {
          if (reply !== undefined && this.#status === 'connected') this.#broker.publish(reply, encodePayload(answer));
        };
        const handling = dispatch(payload, { subject: heard, wantsReply: reply !== undefined, respond });
        this.#handling.add(handling);
        void handling.finally(() => this.#handling.delete(handling));
      },
    });
    this.#open.add(stop);
    return {
      [Symbol.dispose]: () => {
        stop();
        this.#open.delete(stop);
      },
    };
  }

  flush(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  /** Resolves once this client's handlers are through with everything that was published so far. */
  async handled(): Promise<void> {
    await this.flush();
    while (this.#handling.size > 0) await Promise.all(this.#handling);
  }

  onStatus(listener: (status: BusStatus) => void): Disposable {
    this.#statusListeners.add(listener);
    return { [Symbol.dispose]: () => void this.#statusListeners.delete(listener) };
  }

  status(): BusStatus {
    return this.#status;
  }

  /** Cuts or mends this client's connection; while it is cut, messages in both directions are lost. */
  setConnected(isConnected: boolean): void {
    this.#setStatus(isConnected ? 'connected' : 'disconnected');
  }

  async close(): Promise<void> {
    await this.flush();
    for (const stop of this.#open) stop();
    this.#open.clear();
    this.#setStatus('closed');
  }

  #setStatus(status: BusStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    for (const listener of this.#statusListeners) listener(status);
  }
}

function matches(pattern: readonly string[], tokens: readonly string[]): boolean {
  if (pattern.length !== tokens.length) return false;
  return pattern.every((part, i) => part === '*' || part === tokens[i]);
}
