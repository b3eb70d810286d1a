import type { Egress, PortMapping } from '../container.ts';
import { type AddressRange, formatRange, mergeRanges, parseRange } from './addresses.ts';

/** What the rules need to know of one container. */
export type NetworkMember = {
  readonly slot: number;
  readonly address: string;
  readonly ports: readonly PortMapping[];
  readonly egress: readonly Egress[];
};

export type TableInput = {
  readonly table: string;
  readonly vethPrefix: string;
  readonly network: AddressRange;
  /** This pool's part of it. */
  readonly addresses: AddressRange;
  readonly denied: readonly AddressRange[];
  /** Always reachable, for names. */
  readonly resolvers: readonly string[];
};

/**
 * The whole table, replacing one that exists in one step: containers keep their connections meanwhile.
 *
 * Host ports are for what runs on the node itself, the router or the node's link, and lead nowhere from other machines.
 *
 * A rule that names single addresses comes before the denials, so that an administrator can open one address of the
 * node or of the platform's network on purpose; a rule with a wider destination never opens those.
 *
 * A container that has died has no device any more, and its address would be looked for beyond the node, where
 * something may well answer: requests would leak, and a health check succeed. Hence `own` and `stray`; a packet that
 * was given a container's address by a port mapping still bears its first device in `own`, so that `stray` has it.
 */
export function tableText(input: TableInput, members: readonly NetworkMember[]): string {
  const veths = `"${input.vethPrefix}*"`;
  const denied = mergeRanges([input.network, ...input.denied])
    .map(formatRange)
    .join(', ');
  const own = formatRange(input.addresses);
  const resolvers = input.resolvers.join(', ');
  const names = resolvers && [
    `ip daddr { ${resolvers} } udp dport 53 accept`,
    `ip daddr { ${resolvers} } tcp dport 53 accept`,
  ];
  return `table inet ${input.table}
delete table inet ${input.table}
table inet ${input.table} {
  map ports { type inet_service : ipv4_addr . inet_service; }
  set members { type ifname . ipv4_addr; }
  map exact { type ipv4_addr : verdict; }
  map broad { type ipv4_addr : verdict; }
  chain output {
    type nat hook output priority -100; policy accept;
    ip daddr != 127.0.0.0/8 fib daddr type local dnat ip to tcp dport map @ports
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    iifname ${veths} oifname != ${veths} masquerade
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    iifname ${veths} jump egress
    oifname ${veths} ct state established,related accept
    oifname ${veths} ct status dnat accept
    oifname ${veths} drop
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname ${veths} jump node
  }
  chain own {
    type filter hook output priority filter; policy accept;
    ip daddr ${own} oifname != { ${`"lo"`}, ${veths} } goto refuse
  }
  chain stray {
    type filter hook postrouting priority filter; policy accept;
    ip daddr ${own} oifname != ${veths} drop
  }
  chain genuine {
    meta nfproto ipv6 drop
    iifname . ip saddr != @members drop
    ct state established,related accept
    ${names ? names.join('\n    ') : ''}
    ip saddr vmap @exact
  }
  chain node {
    jump genuine
    goto refuse
  }
  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject
  }
  chain egress {
    jump genuine
    ip daddr { ${denied} } goto refuse
    ip saddr vmap @broad
    goto refuse
  }
}
${members.map((member) => memberText(input, member)).join('')}`;
}

/** Adds one container to the table. Fails when a host port is taken. */
export function memberText(
  { table, vethPrefix }: Pick<TableInput, 'table' | 'vethPrefix'>,
  member: NetworkMember,
): string {
  const { slot, address, ports } = member;
  const element = (set: string, value: string) => `create element inet ${table} ${set} { ${value} }\n`;
  return [
    `add chain inet ${table} exact${slot}\nadd chain inet ${table} broad${slot}\n`,
    egressText(table, slot, member.egress),
    element('members', `"${vethPrefix}${slot}" . ${address}`),
    element('exact', `${address} : jump exact${slot}`),
    element('broad', `${address} : jump broad${slot}`),
    ...ports.map((port) => element('ports', `${port.hostPort} : ${address} . ${port.containerPort}`)),
  ].join('');
}

/** Takes one container out of the table. */
export function removalText(
  { table, vethPrefix }: Pick<TableInput, 'table' | 'vethPrefix'>,
  member: NetworkMember,
): string {
  const { slot, address, ports } = member;
  const element = (set: string, value: string) => `delete element inet ${table} ${set} { ${value} }\n`;
  return [
    ...ports.map((port) => element('ports', `${port.hostPort}`)),
    element('exact', address),
    element('broad', address),
    element('members', `"${vethPrefix}${slot}" . ${address}`),
    `delete chain inet ${table} exact${slot}\ndelete chain inet ${table} broad${slot}\n`,
  ].join('');
}

/** Replaces what one container may reach. Connections that exist go on. */
export function egressText(table: string, slot: number, egress: readonly Egress[]): string {
  const rule = (chain: string, text: string) => `add rule inet ${table} ${chain}${slot} ${text}\n`;
  const lines = egress.flatMap((entry) => rulesOf(entry));
  return [
    `flush chain inet ${table} exact${slot}\nflush chain inet ${table} broad${slot}\n`,
    ...lines.map(({ isExact, text }) => rule(isExact ? 'exact' : 'broad', text)),
  ].join('');
}

/**
 * What an egress rule's text has wrong, for the person who wrote it.
 *
 * @returns undefined when it can be applied
 */
export function faultOfEgress(rule: Egress): string | undefined {
  const destinations = rule.destination.split(',').map((part) => part.trim());
  const wrong = destinations.find((part) => !parseRange(part) && !part.includes(':'));
  if (wrong !== undefined) return `"${wrong}" is no IPv4 address, network or range`;
  const ports = rule.ports?.split(',').map((part) => part.trim()) ?? [];
  const wrongPort = ports.find((part) => !/^\d{1,5}(-\d{1,5})?$/.test(part));
  return wrongPort === undefined ? undefined : `"${wrongPort}" is no port or range of ports`;
}

/** Containers have no IPv6, so rules for it say nothing here. */
function rulesOf(rule: Egress): { isExact: boolean; text: string }[] {
  const destinations = rule.destination.split(',').flatMap((part) => parseRange(part.trim()) ?? []);
  const protocol = protocolText(rule);
  if (protocol === undefined) return [];
  const line = (ranges: readonly AddressRange[]) =>
    `ip daddr { ${mergeRanges(ranges).map(formatRange).join(', ')} } ${protocol} accept`.replace(/ {2,}/g, ' ');
  const exact = destinations.filter((range) => range.first === range.last);
  const broad = destinations.filter((range) => range.first !== range.last);
  return [
    ...(exact.length > 0 ? [{ isExact: true, text: line(exact) }] : []),
    ...(broad.length > 0 ? [{ isExact: false, text: line(broad) }] : []),
  ];
}

function protocolText(rule: Egress): string | undefined {
  if (rule.protocol === 'all') return '';
  if (rule.protocol === 'icmpv6') return undefined;
  if (rule.protocol === 'icmp') {
    const type = rule.type === undefined || rule.type < 0 ? 'ip protocol icmp' : `icmp type ${rule.type}`;
    return rule.code === undefined || rule.code < 0 ? type : `${type} icmp code ${rule.code}`;
  }
  if (rule.ports === undefined || rule.ports === '') return `meta l4proto ${rule.protocol}`;
  return `${rule.protocol} dport { ${rule.ports.replace(/\s+/g, '')} }`;
}
