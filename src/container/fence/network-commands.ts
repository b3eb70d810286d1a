import type { Names } from './naming.ts';

/** The next hop that containers see: no device has it, the neighbour entry leads to the host's end of the veth. */
const GATEWAY = '169.254.1.1';
const HOST_MAC = '02:fe:0c:00:00:01';
const INSIDE_MAC = '02:fe:0c:00:00:02';

/** Reads commands of `ip` from its input, on the host. */
export const hostBatch = ['ip', '-batch', '-'];

/** Makes the veth of a container, and the way to its address. */
export function hostText(veth: string, address: string, pid: number): string {
  return `${[
    `link add ${veth} address ${HOST_MAC} type veth peer name eth0 address ${INSIDE_MAC} netns ${pid}`,
    `link set ${veth} addrgenmode none up`,
    `route add ${address}/32 dev ${veth}`,
    `neigh add ${address} lladdr ${INSIDE_MAC} dev ${veth} nud permanent`,
  ].join('\n')}\n`;
}

/** Gives the inner end its address and its way out. */
export function insideText(address: string): string {
  return `${[
    'link set lo up',
    'link set eth0 addrgenmode none',
    `addr add ${address}/32 dev eth0`,
    'link set eth0 up',
    `neigh add ${GATEWAY} lladdr ${HOST_MAC} dev eth0 nud permanent`,
    `route add ${GATEWAY} dev eth0`,
    `route add default via ${GATEWAY}`,
  ].join('\n')}\n`;
}

/** Removes veths; the inner end and the route go with each. */
export function removeVethsText(names: Names, slots: readonly number[]): string {
  return slots.map((slot) => `link del ${names.veth(slot)}\n`).join('');
}
