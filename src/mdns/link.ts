import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { type DecodedPacket, decode, encode, type Packet } from 'dns-packet';
import { isOnLink } from '../core/mdns.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';

const GROUP = '224.0.0.251';
export const MDNS_PORT = 5353;
const LOOK_EVERY_MS = 5000;
const LEAVE_AT_MOST_MS = 500;

/** An interface of this machine, with the address that others in that network know. */
export type Face = { readonly name: string; readonly address: string; readonly netmask: string };
export type Heard = {
  readonly packet: DecodedPacket;
  readonly face: Face;
  readonly from: { address: string; port: number };
};
export type Destination = { readonly address: string; readonly port: number };

/** Where packets of the local network come in and go out. */
export interface Link {
  faces(): readonly Face[];
  /** To everybody on that network, or to one asker. */
  send(face: Face, packet: Packet, to?: Destination): void;
  /** @param listeners `onFaces`: the interfaces or their addresses changed */
  open(listeners: { readonly onHeard: (heard: Heard) => void; readonly onFaces: () => void }): Promise<void>;
  close(): Promise<void>;
}

/** Multicast over IPv4 on every interface but loopback and those that are refused. */
export class MulticastLink implements Link {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #isWanted: (face: Face) => boolean;
  readonly #ears = createSocket({ type: 'udp4', reuseAddr: true });
  readonly #mouths = new Map<string, { readonly face: Face; readonly socket: Socket }>();
  /** A socket that is closed forgets what it has not sent yet. */
  readonly #onTheWay = new Set<Promise<void>>();
  #timer: Disposable | undefined;
  #onHeard: (heard: Heard) => void = () => {};

  constructor({ log, clock, isWanted }: { log: Log; clock: Clock; isWanted: (face: Face) => boolean }) {
    this.#log = log;
    this.#clock = clock;
    this.#isWanted = isWanted;
  }

  faces(): Face[] {
    return [...this.#mouths.values()].map(({ face }) => face);
  }

  async open({ onHeard, onFaces }: Parameters<Link['open']>[0]): Promise<void> {
    this.#onHeard = onHeard;
    this.#ears.on('error', (error) => this.#log.warn('failed-to-listen', { error }));
    this.#ears.on('message', (bytes, from) => this.#hear(bytes, from));
    this.#ears.bind(MDNS_PORT, '0.0.0.0');
    await once(this.#ears, 'listening');
    await this.#look();
    this.#timer = this.#clock.every(LOOK_EVERY_MS, async () => {
      if (await this.#look()) onFaces();
    });
  }

  send(face: Face, packet: Packet, to: Destination = { address: GROUP, port: MDNS_PORT }): void {
    const mouth = this.#mouths.get(face.address);
    if (mouth === undefined) return;
    const sent = Promise.withResolvers<void>();
    this.#onTheWay.add(sent.promise);
    mouth.socket.send(encode(packet), to.port, to.address, (error) => {
      // A cable that was pulled; whoever comes next asks again.
      if (error) this.#log.debug('failed-to-send', { interface: face.name, error });
      this.#onTheWay.delete(sent.promise);
      sent.resolve();
    });
  }

  async close(): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    await Promise.race([Promise.all(this.#onTheWay), this.#clock.sleep(LEAVE_AT_MOST_MS)]);
    const sockets = [this.#ears, ...[...this.#mouths.values()].map(({ socket }) => socket)];
    this.#mouths.clear();
    await Promise.all(sockets.map((socket) => new Promise<void>((resolve) => socket.close(() => resolve()))));
  }

  /** Follows the machine's interfaces; gives true when they changed. */
  async #look(): Promise<boolean> {
    const wanted = listFaces().filter(this.#isWanted);
    const isSame = (a: Face, b: Face) => a.name === b.name && a.address === b.address && a.netmask === b.netmask;
    const gone = this.faces().filter((face) => !wanted.some((one) => isSame(one, face)));
    const fresh = wanted.filter((face) => !this.faces().some((one) => isSame(one, face)));
    for (const { address } of gone) {
      this.#mouths.get(address)?.socket.close();
      this.#mouths.delete(address);
    }
    for (const face of fresh) await this.#join(face);
    return gone.length + fresh.length > 0;
  }

  async #join(face: Face): Promise<void> {
    const socket = createSocket({ type: 'udp4', reuseAddr: true });
    try {
      socket.bind(MDNS_PORT, face.address);
      await once(socket, 'listening');
      socket.setMulticastInterface(face.address);
      socket.setMulticastTTL(255);
      addMembership(this.#ears, face.address);
    } catch (error) {
      socket.close();
      this.#log.warn('failed-to-join', { interface: face.name, error });
      return;
    }
    socket.on('error', (error) => this.#log.warn('failed-to-listen', { interface: face.name, error }));
    socket.on('message', (bytes, from) => this.#hear(bytes, from));
    this.#mouths.set(face.address, { face, socket });
    this.#log.info('joined-network', { interface: face.name, address: face.address });
  }

  #hear(bytes: Buffer, from: RemoteInfo): void {
    const face = this.faces().find((one) => isOnLink(from.address, one));
    if (face === undefined) return;
    try {
      this.#onHeard({ packet: decode(bytes), face, from });
    } catch (error) {
      this.#log.debug('heard-no-dns', { from: from.address, error });
    }
  }
}

function listFaces(): Face[] {
  return Object.entries(networkInterfaces()).flatMap(([name, list]) => {
    const first = list?.find(({ family, internal }) => family === 'IPv4' && !internal);
    return first === undefined ? [] : [{ name, address: first.address, netmask: first.netmask }];
  });
}

/** An interface that had another address before is in the group already. */
function addMembership(socket: Socket, address: string): void {
  try {
    socket.addMembership(GROUP, address);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
  }
}
