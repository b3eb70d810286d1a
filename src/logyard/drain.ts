import { createSocket } from 'node:dgram';
import { connect as connectTcp, isIPv6, type Socket } from 'node:net';
import { connect as connectTls, getCACertificates } from 'node:tls';
import { type DrainLine, formatDrainLine } from '../core/drain-line.ts';
import { drainRetryMs, isForDrain, type LogDrain } from '../core/log-drain.ts';
import type { Clock } from '../platform/clock.ts';
import { slept } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';

const MOST_WAITING = 20_000;
/** About, in characters. */
const MOST_WAITING_TEXT = 8_000_000;
const DATAGRAM_BYTES = 60_000;
/** For what still waits when a drain ends. */
const LAST_WORDS_MS = 1000;
const CONNECT_TIMEOUT_MS = 10_000;

/** How a drain fares. */
export type DrainState = {
  readonly state: 'RUNNING' | 'RETRYING';
  readonly sent: number;
  /** Lines that were let go because too many waited. */
  readonly dropped: number;
  readonly waiting: number;
  /** Why it is retrying. */
  readonly because?: string;
};

type Around = { readonly name: string; readonly target: LogDrain; readonly clock: Clock; readonly log: Log };

/** Sends lines to one place, in their order; while that is away the newest wait. */
export class Drain implements AsyncDisposable {
  readonly #around: Around;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #waiting: string[] = [];
  #waitingText = 0;
  #wake = Promise.withResolvers<void>();
  #sent = 0;
  #dropped = 0;
  #because: string | undefined;

  constructor(around: Around) {
    this.#around = around;
    // Whether the place is there shows before there is anything to send.
    if (around.target.protocol !== 'udp') this.#wake.resolve();
    this.#running = this.#run();
  }

  /** Takes those lines that are for this drain. */
  add(lines: readonly DrainLine[]): void {
    const { filters, format } = this.#around.target;
    for (const line of lines) {
      if (!isForDrain(filters, line.key)) continue;
      const text = formatDrainLine(line, format);
      this.#waiting.push(text);
      this.#waitingText += text.length;
    }
    let over = Math.max(0, this.#waiting.length - MOST_WAITING);
    let left = this.#waitingText - lengthOf(this.#waiting.slice(0, over));
    for (; left > MOST_WAITING_TEXT; over += 1) left -= this.#waiting[over]?.length ?? 0;
    this.#remove(over);
    this.#dropped += over;
    if (this.#waiting.length > 0) this.#wake.resolve();
  }

  get state(): DrainState {
    const counts = { sent: this.#sent, dropped: this.#dropped, waiting: this.#waiting.length };
    return this.#because === undefined
      ? { state: 'RUNNING', ...counts }
      : { state: 'RETRYING', ...counts, because: this.#because };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new Error('stopped'));
    this.#wake.resolve();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { clock, log, name } = this.#around;
    const { signal } = this.#stop;
    let failingSinceMs: number | undefined;
    for (;;) {
      await this.#wake.promise;
      if (signal.aborted) return;
      const sentBefore = this.#sent;
      try {
        await this.#send();
        failingSinceMs = undefined;
      } catch (error) {
        if (signal.aborted) return;
        if (failingSinceMs === undefined || this.#sent > sentBefore) failingSinceMs = clock.nowMs();
        this.#because = error instanceof Error ? error.message : String(error);
        log.warn('failed-to-drain', { drain: name, because: this.#because });
        if (!(await slept(clock, drainRetryMs(clock.nowMs() - failingSinceMs), signal))) return;
      }
    }
  }

  /** Sends what waits and what comes, until the far side is gone. */
  async #send(): Promise<void> {
    const { protocol } = this.#around.target;
    if (protocol === 'udp') return this.#sendDatagrams();
    const socket = await this.#connect();
    let ended: Error | undefined;
    let goOn = () => {};
    const end = (error: Error) => {
      ended ??= error;
      this.#wake.resolve();
      goOn();
    };
    const stop = () => end(new Error('stopped'));
    this.#stop.signal.addEventListener('abort', stop, { once: true });
    socket.on('error', end).on('close', () => end(new Error('the far side closed the connection')));
    socket.on('drain', () => goOn());
    this.#because = undefined;
    try {
      while (ended === undefined) {
        const lines = this.#take();
        if (lines.length === 0) await this.#wake.promise;
        else if (!socket.write(`${lines.join('\n')}\n`)) {
          await new Promise<void>((resolve) => {
            goOn = resolve;
          });
        }
        this.#sent += lines.length;
      }
      throw ended;
    } finally {
      this.#stop.signal.removeEventListener('abort', stop);
      if (this.#stop.signal.aborted) await finish(socket, this.#take(MOST_WAITING));
      socket.destroy();
    }
  }

  async #sendDatagrams(): Promise<void> {
    const { host, port } = this.#around.target;
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    try {
      for (;;) {
        const [line] = this.#take(1);
        if (line === undefined) return;
        await new Promise<void>((resolve, reject) =>
          socket.send(Buffer.from(line).subarray(0, DATAGRAM_BYTES), port, host, (error) =>
            error ? reject(error) : resolve(),
          ),
        );
        this.#because = undefined;
        this.#sent += 1;
      }
    } finally {
      socket.close();
    }
  }

  #take(most = 500): string[] {
    const lines = this.#remove(most);
    if (this.#waiting.length === 0) this.#wake = Promise.withResolvers();
    return lines;
  }

  #remove(count: number): string[] {
    const lines = this.#waiting.splice(0, count);
    this.#waitingText -= lengthOf(lines);
    return lines;
  }

  async #connect(): Promise<Socket> {
    const { protocol, host, port } = this.#around.target;
    const servername = /[a-z]/i.test(host) ? { servername: host } : {};
    const socket =
      protocol === 'tls' ? connectTls({ host, port, ca: authorities(), ...servername }) : connectTcp({ host, port });
    const { signal } = this.#stop;
    const isOpen = Promise.withResolvers<void>();
    const timer = setTimeout(() => isOpen.reject(new Error('does not answer')), CONNECT_TIMEOUT_MS);
    const abort = () => isOpen.reject(new Error('stopped'));
    socket.once(protocol === 'tls' ? 'secureConnect' : 'connect', () => isOpen.resolve());
    socket.on('error', isOpen.reject);
    socket.on('data', () => {});
    signal.addEventListener('abort', abort, { once: true });
    try {
      await isOpen.promise;
      return socket;
    } catch (error) {
      socket.destroy();
      throw error;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    }
  }
}

/** Those that this machine trusts, besides the public ones. */
function authorities(): string[] {
  return [...getCACertificates('bundled'), ...getCACertificates('system')];
}

/** Sends the last lines, if that does not take long. */
function finish(socket: Socket, lines: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, LAST_WORDS_MS);
    socket.once('close', () => resolve());
    socket.end(lines.map((line) => `${line}\n`).join(''), () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

function lengthOf(lines: readonly string[]): number {
  return lines.reduce((sum, line) => sum + line.length, 0);
}
