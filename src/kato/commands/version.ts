import type { Command } from 'commander';
import { apiVersion, platformVersion } from '../../contract/version.ts';
import type { CommandContext } from './command.ts';
import { describe, terminalOf } from './command.ts';

/** `kato version`. */
export function versionCommand(program: Command, _context: CommandContext): void {
  program
    .command('version')
    .summary('version of this platform')
    .description(describe('Prints the version of this platform.', 'kato version', 'kato version --json'))
    .action((_options, command: Command) =>
      terminalOf(command).result(`Stackato ${platformVersion}`, {
        version: platformVersion,
        api: apiVersion,
        node: process.versions.node,
      }),
    );
}
