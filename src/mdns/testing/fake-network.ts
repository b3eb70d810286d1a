import { decode, encode, type Packet } from 'dns-packet';
import { type Destination, type Face, type Link, MDNS_PORT } from '../link.ts';

type Listeners = Parameters<Link['open']>[0];
export type Sent = { readonly from: string; readonly packet: Packet; readonly to: Destination | undefined };

/** A network without wires: what one sends, all hear, itself too. Packets are really encoded. */
export class FakeNetwork {
  readonly sent: Sent[] = [];
  readonly #open = new Map<string, Listeners>();

  link(address: string): Link & { readonly ask: (packet: Packet, port?: number) => void } {
    const face: Face = { name: 'eth0', address, netmask: '255.255.255.0' };
    const say = (packet: Packet, port: number, to?: Destination) => {
      const decoded = decode(encode(packet));
      this.sent.push({ from: address, packet: decoded, to });
      for (const [other, listeners] of this.#open) {
        if (to !== undefined && to.address !== other) continue;
        const heardAt = { ...face, address: other };
        listeners.onHeard({ packet: decoded, face: heardAt, from: { address, port } });
      }
    };
    return {
      faces: () => (this.#open.has(address) ? [face] : []),
      send: (_face, packet, to) => say(packet, MDNS_PORT, to),
      open: async (listeners) => void this.#open.set(address, listeners),
      close: async () => void this.#open.delete(address),
      ask: (packet, port = MDNS_PORT) => say(packet, port),
    };
  }
}
