import type { Command } from 'commander';
import { systemHosts } from '../../contract/hosts.ts';
import { platformVersion } from '../../contract/version.ts';
import { licenseInWords } from '../../core/license.ts';
import { rolesToTake } from '../../core/role-plan.ts';
import { openNode } from '../node.ts';
import { schemeOf } from '../setup/welcome.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

/** `kato info`. */
export function infoCommand(program: Command, _context: CommandContext): void {
  program
    .command('info')
    .summary('this node and the cluster')
    .description(
      describe('Shows this node: its addresses, its roles and those it could take.', 'kato info', 'kato info --json'),
    )
    .action(async (_options, command: Command) => {
      const node = await openNode();
      const { file, config, paths } = node;
      const hosts = systemHosts(config.cluster.domain);
      const scheme = schemeOf(node);
      const value = {
        node: file.id,
        address: file.address,
        coreAddress: file.coreAddress,
        isMicro: file.isMicro ?? false,
        version: platformVersion,
        domain: config.cluster.domain,
        console: `${scheme}://${hosts.console}`,
        api: `${scheme}://${hosts.api}`,
        assignedRoles: file.roles,
        availableRoles: rolesToTake({
          ...file,
          isCore: file.address === file.coreAddress,
          isMicro: file.isMicro ?? false,
        }),
        state: paths.state,
        license: config.cluster.license,
      };
      const lines = [
        `node             ${value.address} (${value.node.slice(0, 8)})${value.isMicro ? ', a micro cloud' : ''}`,
        `version          ${value.version}`,
        `domain           ${value.domain}`,
        `console          ${value.console}`,
        `API              ${value.api}`,
        `assigned roles   ${value.assignedRoles.join(', ')}`,
        `available roles  ${value.availableRoles.join(', ') || 'none'}`,
        `state folder     ${value.state}`,
        `licence          ${licenseInWords(value.license)}`,
      ];
      terminalOf(command).result(lines.join('\n'), value);
    });
}
