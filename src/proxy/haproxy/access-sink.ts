import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { type LoggedRequest, parseAccessLine } from './access-line.ts';

/** Where HAProxy sends its access log: octet-counted lines over TCP, one connection per HAProxy process. */
export class AccessSink {
  onRecord: (record: LoggedRequest) => void = () => {};
  /** A HAProxy process went away, or its connection did. */
  onGone: () => void = () => {};
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;
  #lost = 0;

  /** Listens on loopback; port 0 takes a free one. @returns the port. @throws Error when it is taken */
  async listen(port: number): Promise<number> {
    const server = createServer((socket) => this.#accept(socket));
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    this.#server = server;
    return (server.address() as AddressInfo).port;
  }

  /** Lines that HAProxy counted and that never came. */
  lost(): number {
    return this.#lost;
  }

  async close(): Promise<void> {
    this.onGone = () => {};
    const server = this.#server;
    if (!server) return;
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    const count = new LineCount();
    const lines = new OctetCounted((line) => {
      const parsed = parseAccessLine(line);
      count.see(parsed?.sequence);
      if (parsed) this.onRecord(parsed.record);
    });
    socket.on('data', (chunk: Buffer) => {
      if (!lines.push(chunk)) socket.destroy();
    });
    // The close that follows says all there is to do.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#lost += count.missing();
      this.onGone();
    });
  }
}

/** Splits a stream of `<length> <line>` into lines. */
export class OctetCounted {
  readonly #emit: (line: string) => void;
  #rest: Buffer = Buffer.alloc(0);

  constructor(emit: (line: string) => void) {
    this.#emit = emit;
  }

  /** @returns false when the stream is not octet-counted */
  push(chunk: Buffer): boolean {
    const data = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    let at = 0;
    for (;;) {
      const space = data.indexOf(32, at);
      if (space < 0 || space - at > 8) break;
      const length = Number(data.toString('latin1', at, space));
      if (!Number.isInteger(length)) return false;
      const end = space + 1 + length;
      if (end > data.length) break;
      this.#emit(data.toString('utf8', space + 1, end).trimEnd());
      at = end;
    }
    this.#rest = data.subarray(at);
    return this.#rest.length < 65_536;
  }
}

class LineCount {
  #first = Number.POSITIVE_INFINITY;
  #last = 0;
  #seen = 0;

  see(sequence: number | undefined): void {
    this.#seen += 1;
    if (sequence === undefined) return;
    this.#first = Math.min(this.#first, sequence);
    this.#last = Math.max(this.#last, sequence);
  }

  missing(): number {
    return this.#last === 0 ? 0 : Math.max(0, this.#last - this.#first + 1 - this.#seen);
  }
}
