import { createInbox, type Msg, type NatsConnection } from '@nats-io/nats-core';
import { connect } from '@nats-io/transport-node';
import type { Static, TSchema } from 'typebox';
import type { Subject } from '../contract/subject.ts';
import type { Log } from '../platform/log.ts';
import type { Bus, BusStatus, Message, RequestOptions } from './bus.ts';
import { encodePayload, PayloadDecoder } from './codec.ts';
import { dispatcher, isEnough } from './subscription.ts';

export type NatsOptions = {
  readonly servers: readonly string[];
  readonly user: string;
  readonly password: string;
  /** PEM of the CA that signed the server's certificate; without it the connection is plain. */
  readonly ca?: string;
  /** Name shown by the server's monitoring. */
  readonly name: string;
  readonly log: Log;
  /** Longest wait for the first connection, ms; without, it is tried for ever. */
  readonly firstWithinMs?: number;
};

/**
 * Connects to nats-server, and again whenever the connection is lost.
 *
 * @throws when the first connection does not come about in the time named
 */
export async function connectNats(options: NatsOptions): Promise<Bus> {
  const connection = await connect({
    servers: [...options.servers],
    user: options.user,
    pass: options.password,
    name: options.name,
    ...(options.firstWithinMs === undefined ? { waitOnFirstConnect: true } : { timeout: options.firstWithinMs }),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 100,
    reconnectJitterTLS: 100,
    pingInterval: 10_000,
    maxPingOut: 2,
    inboxPrefix: `_INBOX.${options.user}`,
    ...(options.ca === undefined ? {} : { tls: { ca: options.ca } }),
  });
  return new NatsBus(connection, options);
}

class NatsBus implements Bus {
  readonly #connection: NatsConnection;
  readonly #log: Log;
  readonly #decoder: PayloadDecoder;
  readonly #listeners = new Set<(status: BusStatus) => void>();
  readonly #inboxPrefix: string;
  #status: BusStatus = 'connected';

  constructor(connection: NatsConnection, options: NatsOptions) {
    this.#connection = connection;
    this.#log = options.log;
    this.#decoder = new PayloadDecoder(options.log);
    this.#inboxPrefix = `_INBOX.${options.user}`;
    void this.#follow();
  }

  publish<P extends readonly string[], T extends TSchema>(
    subject: Subject<P, T, TSchema>,
    params: NoInfer<P>,
    payload: Static<T>,
  ): void {
    if (!this.#connection.isClosed()) this.#connection.publish(subject.name(...params), encodePayload(payload));
  }

  request<P extends readonly string[], T extends TSchema, R extends TSchema>(
    subject: Subject<P, T, R>,
    params: NoInfer<P>,
    payload: Static<T>,
    options: RequestOptions<Static<R>>,
  ): Promise<Static<R>[]> {
    const { promise, resolve } = Promise.withResolvers<Static<R>[]>();
    if (this.#connection.isClosed()) return Promise.resolve([]);
    const name = subject.name(...params);
    const replies: Static<R>[] = [];
    const inbox = createInbox(this.#inboxPrefix);
    const finish = () => {
      clearTimeout(timer);
      options.signal?.removeEventListener('abort', finish);
      if (!subscription.isClosed()) subscription.unsubscribe();
      resolve(replies);
    };
    const subscription = this.#connection.subscribe(inbox, {
      callback: (error, message) => {
        if (error || isNoResponders(message)) return finish();
        const reply = this.#decoder.decode(subject.reply, `${name} (reply)`, message.data);
        if (reply !== undefined) replies.push(reply);
        if (isEnough(replies, options)) finish();
      },
    });
    const timer = setTimeout(finish, options.timeoutMs);
    options.signal?.addEventListener('abort', finish, { once: true });
    this.#connection.publish(name, encodePayload(payload), { reply: inbox });
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
    const subscription = this.#connection.subscribe(name, {
      ...(options.queue === undefined ? {} : { queue: options.queue }),
      callback: (error, message) => {
        if (error) return this.#log.warn('failed-subscription', { subject: name, error });
        const payload = this.#decoder.decode(subject.payload, name, message.data);
        if (payload === undefined) return;
        const respond = (answer: Static<R>) => void message.respond(encodePayload(answer));
        void dispatch(payload, { subject: message.subject, wantsReply: Boolean(message.reply), respond });
      },
    });
    return {
      [Symbol.dispose]: () => {
        if (!subscription.isClosed()) subscription.unsubscribe();
      },
    };
  }

  async flush(): Promise<void> {
    if (!this.#connection.isClosed()) await this.#connection.flush();
  }

  onStatus(listener: (status: BusStatus) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  status(): BusStatus {
    return this.#status;
  }

  async close(): Promise<void> {
    if (this.#connection.isClosed()) return;
    if (this.#status === 'connected') await this.#connection.drain();
    else await this.#connection.close();
  }

  async #follow(): Promise<void> {
    for await (const event of this.#connection.status()) {
      if (event.type === 'disconnect') this.#setStatus('disconnected');
      if (event.type === 'reconnect') this.#setStatus('connected');
      if (event.type === 'error') this.#log.warn('reported-bus-error', { error: event.error });
    }
    this.#setStatus('closed');
  }

  #setStatus(status: BusStatus): void {
    if (status === this.#status) return;
    this.#status = status;
    this.#log.info(`bus-${status}`);
    for (const listener of this.#listeners) listener(status);
  }
}

function isNoResponders(message: Msg): boolean {
  return message.data.length === 0 && message.headers?.code === 503;
}
