import type { Command } from 'commander';
import { fenceDevices } from '../../container/fence/fence.ts';
import { parseOpenPort } from '../../core/firewall.ts';
import { portsOf } from '../../core/port-table.ts';
import { applyFirewall, findFirewall, planFirewall, removeFirewall, setFirewall } from '../../platform/firewall.ts';
import { type Node, openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { describe, terminalOf } from './command.ts';

type Options = { off?: boolean; show?: boolean; open?: string[]; close?: string[] };

/** `kato op firewall`. */
export function firewallCommand(group: Command): void {
  group
    .command('firewall')
    .option('--open <port...>', 'open this port besides, such as 8443 or 53/udp; remembered')
    .option('--close <port...>', 'no longer open this port')
    .option('--off', 'take the rules away')
    .option('--show', 'print the rules; change nothing')
    .summary('lets in what the roles of this node need, and SSH')
    .description(
      describe(
        'Writes rules into the kernel (nftables) that let in what the roles of this node need, and SSH. They follow the\nroles and the nodes of the cluster, and come back with every start of the node.',
        'kato op firewall',
        'kato op firewall --open 8443 53/udp',
        'kato op firewall --show',
        'kato op firewall --off',
      ),
    )
    .action(async (options: Options, command: Command) => {
      const node = await openNode();
      const terminal = terminalOf(command);
      if (options.off) {
        const wasOn = await removeFirewall(node.paths);
        terminal.result(wasOn ? 'the firewall is off' : 'the firewall was off already', { isOn: false });
        return;
      }
      const { paths } = node;
      if (!options.show) {
        await setFirewall(paths, { open: await openPorts(node, options) });
        await applyFirewall(paths, containerDevices(node));
      }
      const rules = await planFirewall(paths, containerDevices(node));
      if (options.show) terminal.result(rules ?? 'the firewall is off', { isOn: rules !== undefined, rules });
      else terminal.result(describeOpen(node), { isOn: true, open: openUses(node) });
    });
}

/** First letters of the devices of this node's containers. */
export function containerDevices({ paths }: Pick<Node, 'paths'>): string[] {
  return fenceDevices(paths.fence, ['dea', 'stager']);
}

async function openPorts({ paths }: Node, { open = [], close = [] }: Options) {
  const before = (await findFirewall(paths))?.open ?? [];
  const [more, fewer] = [open.map(parse), close.map(parse)];
  const isSame = (a: ReturnType<typeof parse>, b: ReturnType<typeof parse>) =>
    a.port === b.port && a.protocol === b.protocol;
  const kept = before.filter((one) => ![...more, ...fewer].some((other) => isSame(one, other)));
  return [...kept, ...more];
}

function parse(text: string) {
  const port = parseOpenPort(text);
  if (port !== undefined) return port;
  throw new Refusal(`'${text}' is no port`, 'for example 8443 or 53/udp');
}

function openUses({ file, config }: Node) {
  return portsOf(file, config).filter(({ audience }) => audience !== 'this machine');
}

function describeOpen(node: Node): string {
  const lines = openUses(node).map(
    ({ protocol, first, audience, what }) =>
      `  ${protocol} ${first} from ${typeof audience === 'string' ? audience : `nodes with ${audience.join(', ')}`}: ${what}`,
  );
  return ['the firewall is on; besides SSH it lets in', ...lines].join('\n');
}
