import type { Command } from 'commander';
import { judgeAddress } from '../../core/cluster-rules.ts';
import { readStaticAddress, type StaticAddress } from '../../core/static-address.ts';
import { systemClock } from '../../platform/clock.ts';
import { readTextIfExists } from '../../platform/files.ts';
import { findHolder, type Interface, listInterfaces } from '../../platform/network-address.ts';
import { knownTopology } from '../cluster/registry-client.ts';
import { configureNetwork, type WrittenNetwork } from '../network-files.ts';
import { findNode, type Node, requireRoot } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { describe, terminalOf } from './command.ts';

const EXAMPLE = 'kato op static_ip --address 10.0.0.5/24 --gateway 10.0.0.1 --dns 10.0.0.2';

type Flags = { interface?: string; address?: string; gateway?: string; dns?: string; apply: boolean; root?: string };

/** `kato op static_ip | dhcp`. */
export function networkCommands(group: Command): void {
  placed(group.command('static_ip'))
    .option('--address <address>', 'with the length of its network: 10.0.0.5/24')
    .option('--gateway <address>')
    .option('--dns <addresses>', 'name servers, with commas between')
    .summary('gives this machine an address of its own')
    .description(
      describe(
        'Gives this machine an address that stays, through what configures its network: netplan, systemd-networkd or ifupdown. Asks on a terminal for what is not given. The connection that you came by may end with the old address.',
        'kato op static_ip',
        'kato op static_ip --address 10.0.0.5/24 --gateway 10.0.0.1 --dns 10.0.0.2',
        'kato op static_ip --interface eth1 --no-apply',
      ),
    )
    .action(async (flags: Flags, command: Command) => {
      requireRoot();
      const one = await choose(flags);
      const terminal = terminalOf(command);
      const given = terminal.isInteractive ? await ask(flags, one) : flags;
      const wanted = read(given);
      const node = await findNodeIn(flags);
      if (flags.root === undefined) await requireFree(wanted, node);
      const isThere = one.address === `${wanted.address}/${wanted.length}`;
      const written = await configureNetwork(one.name, wanted, { ...placeOf(flags), isThere });
      const next = node === undefined ? [] : nextOf(node, wanted.address);
      const what = `${one.name}: ${wanted.address}/${wanted.length}, gateway ${wanted.gateway}, name servers ${wanted.dns.join(', ')}`;
      terminal.result(report(what, written, { next, dns: wanted.dns }), {
        interface: one.name,
        ...wanted,
        ...written,
        next,
      });
    });
  placed(group.command('dhcp'))
    .summary('has this machine get its address by DHCP')
    .description(
      describe(
        'Has this machine get its address by DHCP, through what configures its network: netplan, systemd-networkd or ifupdown.',
        'kato op dhcp',
        'kato op dhcp --interface eth1 --no-apply',
      ),
    )
    .action(async (flags: Flags, command: Command) => {
      requireRoot();
      const { name } = await choose(flags);
      const written = await configureNetwork(name, undefined, { ...placeOf(flags), isThere: false });
      const node = await findNodeIn(flags);
      const next = node === undefined ? [] : nextOf(node, undefined);
      terminalOf(command).result(report(`${name}: by DHCP`, written, { next, dns: [] }), {
        interface: name,
        ...written,
        next,
      });
    });
}

function placed(command: Command): Command {
  return command
    .option('--interface <name>', 'that of the default route without it')
    .option('--no-apply', 'only write; counts from the next boot')
    .option('--root <folder>', 'write for a machine whose files are in this folder, such as an image; applies nothing');
}

function placeOf({ root = '/', apply }: Flags) {
  return { root, isApplied: apply && root === '/' };
}

async function findNodeIn({ root }: Flags): Promise<Node | undefined> {
  return root === undefined ? findNode() : undefined;
}

async function choose({ interface: name, root }: Flags): Promise<Interface> {
  const all = await listInterfaces();
  const known = all.map((one) => one.name).join(', ');
  if (name !== undefined) {
    const found = all.find((one) => one.name === name);
    if (found !== undefined) return found;
    const isName = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/.test(name) && name !== 'lo';
    if (isName && root !== undefined) return { name, address: undefined, gateway: undefined };
    throw new Refusal(`there is no interface '${name}'`, `this machine has ${known || 'none but loopback'}`);
  }
  const leading = all.filter(({ gateway }) => gateway !== undefined);
  const [only] = leading.length > 0 ? leading : all;
  if (only !== undefined && (leading.length === 1 || all.length === 1)) return only;
  throw new Refusal('it is not clear which interface is meant', `--interface: one of ${known || 'none here'}`);
}

function read({ address = '', gateway = '', dns = '' }: Flags): StaticAddress {
  const missing = Object.entries({ '--address': address, '--gateway': gateway, '--dns': dns }).find(([, one]) => !one);
  if (missing !== undefined) throw new Refusal(`${missing[0]} is missing`, `for example ${EXAMPLE}`);
  const wanted = readStaticAddress({ address, gateway, dns });
  if ('refused' in wanted) throw new Refusal(wanted.refused, `for example ${EXAMPLE}`);
  return wanted;
}

/** What was not given; what the machine has now is proposed. */
async function ask(flags: Flags, one: Interface): Promise<Flags> {
  const { text, isCancel } = await import('@clack/prompts');
  const question = async (given: string | undefined, message: string, initialValue = '') => {
    if (given !== undefined) return given;
    const answer = await text({ message, initialValue });
    if (isCancel(answer)) throw new Refusal('nothing was changed', `for example ${EXAMPLE}`);
    return answer ?? '';
  };
  const resolvers = ((await readTextIfExists('/etc/resolv.conf')) ?? '').matchAll(/^nameserver\s+(\d+\.\S+)/gm);
  return {
    ...flags,
    address: await question(flags.address, `Address of ${one.name}, with the length of its network`, one.address),
    gateway: await question(flags.gateway, 'Gateway', one.gateway),
    dns: await question(flags.dns, 'Name servers', [...resolvers].map(([, address]) => address).join(', ')),
  };
}

async function requireFree({ address }: StaticAddress, node: Node | undefined): Promise<void> {
  const topology = node === undefined ? undefined : await knownTopology(node);
  if (node !== undefined && topology !== undefined) {
    const refusal = judgeAddress({ id: node.file.id, address }, topology);
    if (refusal !== undefined) throw new Refusal(refusal.refused, refusal.next);
  }
  const holder = await findHolder(address, systemClock);
  if (holder === undefined) return;
  throw new Refusal(`${address} is taken by another machine in this network (${holder})`, 'choose a free address');
}

/** What the platform on this machine needs to be told. */
function nextOf({ file }: Node, address: string | undefined): string[] {
  if (address === file.address) return [];
  if (file.isMicro) return ['kato start'];
  if (!file.roles.includes('primary')) return ['kato node update'];
  return [`kato node migrate ${file.address} ${address ?? 'NEW-ADDRESS'}`];
}

function report(
  what: string,
  written: WrittenNetwork,
  { next, dns }: { next: readonly string[]; dns: readonly string[] },
): string {
  const { manager, file, isChanged, isApplied, previous, keepsDns } = written;
  const applied = isApplied ? 'it counts now' : 'it counts from the next boot';
  const undo = previous === undefined ? `rm ${file}` : `cp ${previous} ${file}`;
  return [
    `${what} (${manager}, ${file}${isChanged ? '' : ', as before'}); ${applied}`,
    ...(isChanged ? [`to have it as it was: ${undo}`] : []),
    ...(dns.length > 0 && !keepsDns ? ['nothing here writes name servers into /etc/resolv.conf: put them there'] : []),
    ...next.map((command) => `then on this machine: ${command}`),
  ].join('\n');
}
