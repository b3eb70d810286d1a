import type { ClusterConfig } from '../contract/config.ts';
import type { Topology } from '../contract/topology.ts';
import { type PortHolder, type PortUse, portsOf } from './port-table.ts';

/** A port that the operator opened besides, or that the machine's own sshd has. */
export type OpenPort = { readonly protocol: 'tcp' | 'udp'; readonly port: number };

export type FirewallInput = {
  readonly node: PortHolder;
  readonly config: ClusterConfig;
  /** The cluster's nodes; undefined on a micro cloud. */
  readonly topology: Topology | undefined;
  readonly open: readonly OpenPort[];
  /** First letters of the devices of containers: their traffic has a table of its own. */
  readonly containerDevices: readonly string[];
};

/** Name of the table: one for each node of a machine. */
export const firewallTable = 'stackato_firewall';

/**
 * nftables rules that let nobody in but those for whom something listens. Written in one step over what was there;
 * the fence's tables and an administrator's own are not touched, and what goes out is not looked at.
 */
export function firewallText(input: FirewallInput): string {
  const rows = portsOf(input.node, input.config);
  const devices = input.containerDevices.map((prefix) => `"${prefix}*"`).join(', ');
  const fromContainers = devices === '' ? [] : [`iifname { ${devices} } accept`];
  return [
    `table inet ${firewallTable}`,
    `delete table inet ${firewallTable}`,
    `table inet ${firewallTable} {`,
    '  # Written by kato; changes are overwritten.',
    '  chain input {',
    '    type filter hook input priority 10; policy drop;',
    ...[
      'iifname "lo" accept',
      'ct state established,related accept',
      'ct state invalid drop',
      ...fromContainers,
      'ip protocol icmp accept',
      'ip6 nexthdr ipv6-icmp accept',
      'udp sport 67 udp dport 68 accept',
      'ip6 saddr fe80::/10 udp dport 546 accept',
      ...input.open.map(({ protocol, port }) => `${protocol} dport ${port} accept`),
      ...rows.flatMap((use) => ruleOf(use, input.topology)),
    ].map((rule) => `    ${rule}`),
    '  }',
    '}',
    '',
  ].join('\n');
}

function ruleOf(use: PortUse, topology: Topology | undefined): string[] {
  const { audience, protocol } = use;
  if (audience === 'this machine') return [];
  if (audience === 'anybody') return [`${protocol} dport ${portText(use)} accept`];
  const peers = (topology?.nodes ?? []).filter(
    ({ roles }) => audience === 'nodes' || audience.some((role) => roles.includes(role)),
  );
  if (peers.length === 0) return [];
  return [`ip saddr { ${peers.map(({ address }) => address).join(', ')} } ${protocol} dport ${portText(use)} accept`];
}

function portText({ first, last }: PortUse): string {
  return first === last ? `${first}` : `${first}-${last}`;
}

/** `8443`, `8443/tcp` or `5000/udp`. */
export function parseOpenPort(text: string): OpenPort | undefined {
  const [, digits = '', protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? [];
  const port = Number(digits);
  if (port < 1 || port > 65_535) return undefined;
  return { protocol: protocol === 'udp' ? 'udp' : 'tcp', port };
}
