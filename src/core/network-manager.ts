import type { StaticAddress } from './static-address.ts';

/** A file below `/`, with what it says. */
export type NetworkFile = { readonly path: string; readonly text: string };

/** What a machine's files say of who configures one interface. */
export type NetworkFacts = {
  readonly interface: string;
  /** Files of netplan, if it is installed, with what each says of the interface. */
  readonly netplan: readonly {
    readonly path: string;
    readonly hasInterface: boolean;
    readonly hasAddresses: boolean;
  }[];
  /** systemd-networkd runs and configures the interface. */
  readonly isNetworkd: boolean;
  /** Files of ifupdown, if it is installed. */
  readonly ifupdown: readonly NetworkFile[];
  readonly isNetworkManager: boolean;
};

/** What is to be written, and how it is brought about. */
export type NetworkPlan = {
  readonly manager: 'netplan' | 'systemd-networkd' | 'ifupdown';
  readonly path: string;
  readonly text: string;
  readonly mode: number;
  /** Commands; `previous` is a file with what was said before. */
  readonly apply: (previous: string | undefined) => readonly (readonly string[])[];
};

type Refused = { readonly refused: string; readonly next: string };

/**
 * How an interface gets an address of its own, or one by DHCP, from whoever configures it on this machine.
 *
 * @param wanted undefined: by DHCP
 */
export function planNetwork(facts: NetworkFacts, wanted: StaticAddress | undefined): NetworkPlan | Refused {
  const { interface: name, netplan, isNetworkd, ifupdown, isNetworkManager } = facts;
  if (netplan.some(({ hasInterface }) => hasInterface)) return planNetplan(name, netplan, wanted);
  if (isNetworkd) {
    return {
      manager: 'systemd-networkd',
      // The first file in order of names counts.
      path: `/etc/systemd/network/0-stackato-${name}.network`,
      text: networkdText(name, wanted),
      mode: 0o644,
      apply: () => [
        ['networkctl', 'reload'],
        ['networkctl', 'reconfigure', name],
      ],
    };
  }
  const stanzas = ifupdown.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line) => (isStanza(line, name) ? [path] : [])),
  );
  if (stanzas.length > 1) {
    return {
      refused: `${name} is described ${stanzas.length} times, in ${[...new Set(stanzas)].join(' and ')}`,
      next: 'leave one',
    };
  }
  const file = ifupdown.find(({ path }) => path === stanzas[0]);
  if (file !== undefined) return planIfupdown(name, file, wanted);
  if (isNetworkManager) {
    const how =
      wanted === undefined
        ? 'ipv4.method auto'
        : `ipv4.method manual ipv4.addresses ${wanted.address}/${wanted.length} ipv4.gateway ${wanted.gateway} ipv4.dns ${wanted.dns.join(',')}`;
    return { refused: `NetworkManager configures ${name}`, next: `nmcli connection modify CONNECTION ${how}` };
  }
  return {
    refused: `neither netplan nor systemd-networkd nor ifupdown configures ${name} on this machine`,
    next: 'whoever runs this machine gives it its address, as with containers; ask there, or name another --interface',
  };
}

function planNetplan(
  name: string,
  files: NetworkFacts['netplan'],
  wanted: StaticAddress | undefined,
): NetworkPlan | Refused {
  const path = `/etc/netplan/90-stackato-${name}.yaml`;
  const other = files.find((one) => one.path !== path && one.hasAddresses);
  if (other !== undefined) {
    return {
      refused: `${other.path} gives ${name} addresses, and netplan adds those of several files together`,
      next: `take addresses, routes and gateway4 of ${name} out of it, then run this again`,
    };
  }
  return {
    manager: 'netplan',
    path,
    text: netplanText(name, wanted),
    mode: 0o600,
    apply: () => [['netplan', 'apply']],
  };
}

function netplanText(name: string, wanted: StaticAddress | undefined): string {
  const lines = ['# Written by kato.', 'network:', '  version: 2', '  ethernets:', `    ${JSON.stringify(name)}:`];
  if (wanted === undefined) return [...lines, '      dhcp4: true', ''].join('\n');
  return [
    ...lines,
    '      dhcp4: false',
    `      addresses: [${wanted.address}/${wanted.length}]`,
    `      routes: [{ to: 0.0.0.0/0, via: ${wanted.gateway} }]`,
    `      nameservers: { addresses: [${wanted.dns.join(', ')}] }`,
    '',
  ].join('\n');
}

function networkdText(name: string, wanted: StaticAddress | undefined): string {
  const lines = ['# Written by kato.', '[Match]', `Name=${name}`, '', '[Network]'];
  if (wanted === undefined) return [...lines, 'DHCP=ipv4', ''].join('\n');
  const dns = wanted.dns.map((one) => `DNS=${one}`);
  return [...lines, `Address=${wanted.address}/${wanted.length}`, `Gateway=${wanted.gateway}`, ...dns, ''].join('\n');
}

function planIfupdown(name: string, { path, text }: NetworkFile, wanted: StaticAddress | undefined): NetworkPlan {
  return {
    manager: 'ifupdown',
    path,
    text: ifupdownText(text, name, wanted),
    mode: 0o644,
    // What was there before is taken down as it was brought up.
    apply: (previous) => [
      ['ifdown', '--force', ...(previous === undefined ? [] : ['-i', previous]), name],
      ['ifup', name],
    ],
  };
}

const OPENS = /^\s*(iface|auto|allow-\S+|mapping|source|source-directory|no-auto-down|no-scripts|rename|template)\s/;
const ADDRESS_OPTION = /^\s*(address|netmask|network|broadcast|gateway|dns-nameservers?)\s/;

function isStanza(line: string, name: string): boolean {
  const [word, which, family] = line.trim().split(/\s+/);
  return word === 'iface' && which === name && family === 'inet';
}

/** The file with another address in the interface's stanza; what else the stanza says stays. */
function ifupdownText(text: string, name: string, wanted: StaticAddress | undefined): string {
  let isInside = false;
  const lines = text.split('\n').flatMap((line) => {
    if (isStanza(line, name)) {
      isInside = true;
      return ifupdownStanza(name, wanted);
    }
    if (OPENS.test(line)) isInside = false;
    return isInside && ADDRESS_OPTION.test(line) ? [] : [line];
  });
  return lines.join('\n');
}

function ifupdownStanza(name: string, wanted: StaticAddress | undefined): string[] {
  if (wanted === undefined) return [`iface ${name} inet dhcp`];
  return [
    `iface ${name} inet static`,
    `    address ${wanted.address}/${wanted.length}`,
    `    gateway ${wanted.gateway}`,
    `    dns-nameservers ${wanted.dns.join(' ')}`,
  ];
}
