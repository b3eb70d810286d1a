import { isIPv4 } from 'node:net';
import type { Command } from 'commander';
import { setUpLoadBalancer } from '../cluster/load-balancer.ts';
import { requireRoot } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

/** `kato node setup load_balancer`. */
export function loadBalancerCommand(setup: Command, context: CommandContext): void {
  setup
    .command('load_balancer')
    .argument('[ip...]', 'addresses of the only routers to use; default: every router of the cluster')
    .option('-f, --force', "take this node's other roles away")
    .summary('makes this node the load balancer of its cluster')
    .description(
      describe(
        'Makes this node of a cluster its load balancer: nginx sends requests to every router in turn, also to those that\ncome later. A router on this node gives way. Safe to repeat, also when it was interrupted.',
        'kato node setup load_balancer',
        'kato node setup load_balancer 10.0.0.5 10.0.0.6',
        'kato node setup load_balancer --force',
      ),
    )
    .action(async (addresses: string[], flags: { force?: boolean }, command: Command) => {
      requireRoot();
      const routers = addresses.flatMap((one) => one.split(',')).filter(Boolean);
      const odd = routers.find((one) => !isIPv4(one));
      if (odd !== undefined)
        throw new Refusal(`'${odd}' is no address`, 'for example kato node setup load_balancer 10.0.0.5');
      const terminal = terminalOf(command);
      const options = { routers: [...new Set(routers)], isForced: flags.force ?? false };
      const { node, routers: used } = await setUpLoadBalancer(options, { terminal, signal: context.signal });
      const every = routers.length === 0 ? ', and every router to come' : '';
      terminal.result(`load balancer of ${used.join(', ')}${every}`, {
        ...{ address: node.file.address, roles: node.file.roles, routers: used },
        followsCluster: routers.length === 0,
      });
    });
}
