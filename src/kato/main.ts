import { Command, CommanderError } from 'commander';
import { platformVersion } from '../contract/version.ts';
import { configCommand } from './commands/config.ts';
import { infoCommand } from './commands/info.ts';
import { lifecycleCommands } from './commands/lifecycle.ts';
import { nodeCommand } from './commands/node.ts';
import { opCommand } from './commands/op.ts';
import { processCommand } from './commands/process.ts';
import { roleCommand } from './commands/role.ts';
import { statusCommand } from './commands/status.ts';
import { versionCommand } from './commands/version.ts';
import { formatRefusal } from './refusal.ts';

const EXAMPLES = `
Examples:
  kato node setup micro        turn this machine into a micro cloud
  kato status                  what runs here, and whether it is ready
  kato restart dea             restart a role; apps go on
  kato process ready all -b 30 wait until everything is ready
`;

/**
 * The cluster administrator's command.
 *
 * @returns the exit code: 0 done, 1 refused or failed, 2 wrong use
 */
export async function kato(args: string[], signal: AbortSignal): Promise<number> {
  const program = new Command('kato')
    .description(`Administers the nodes of a Stackato cluster.\n${EXAMPLES}`)
    .version(platformVersion, '-V, --version')
    .configureHelp({ showGlobalOptions: true })
    .option('-j, --json', 'print the result as JSON')
    .option('-y, --yaml', 'print the result as YAML')
    .exitOverride();
  const context = { signal, outcome: { code: 0 } };
  for (const add of [
    statusCommand,
    infoCommand,
    lifecycleCommands,
    processCommand,
    roleCommand,
    nodeCommand,
    configCommand,
    opCommand,
    versionCommand,
  ]) {
    add(program, context);
  }
  for (const command of [program, ...descendants(program)]) {
    command.exitOverride().showHelpAfterError('(kato -h tells more)');
    if (command === program || command.commands.length > 0) continue;
    command.option('-j, --json', 'print the result as JSON');
    // Where -y stands for --yes, YAML has its long name only.
    const isTaken = command.options.some(({ short }) => short === '-y');
    command.option(isTaken ? '--yaml' : '-y, --yaml', 'print the result as YAML');
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return context.outcome.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`kato: ${formatRefusal(error)}\n`);
    return 1;
  }
}

function descendants(command: Command): Command[] {
  return command.commands.flatMap((one) => [one, ...descendants(one)]);
}
