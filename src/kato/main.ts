import { Command, CommanderError } from 'commander';
import { platformVersion } from '../contract/version.ts';
import { isRecorded } from '../core/command-record.ts';
import { takeNodeNames } from '../core/node-commands.ts';
import { whenUnread } from '../platform/unread.ts';
import { runOnNodes } from './cluster/fan-out.ts';
import { tellCommand } from './cluster/teller.ts';
import { configCommand } from './commands/config.ts';
import { dataCommand } from './commands/data.ts';
import { debugCommand } from './commands/debug.ts';
import { historyCommand } from './commands/history.ts';
import { infoCommand } from './commands/info.ts';
import { inspectCommand } from './commands/inspect.ts';
import { licenseCommand } from './commands/license.ts';
import { lifecycleCommands } from './commands/lifecycle.ts';
import { logCommand } from './commands/log.ts';
import { nodeCommand } from './commands/node.ts';
import { opCommand } from './commands/op.ts';
import { processCommand } from './commands/process.ts';
import { relocateCommand } from './commands/relocate.ts';
import { reportCommand } from './commands/report.ts';
import { roleCommand } from './commands/role.ts';
import { statusCommand } from './commands/status.ts';
import { versionCommand } from './commands/version.ts';
import { rememberCommand } from './history-file.ts';
import { formatRefusal, Refusal } from './refusal.ts';

const UNREAD = 141;
const EXAMPLES = `
Examples:
  kato node setup micro        turn this machine into a micro cloud
  kato status                  what runs here, and whether it is ready
  kato restart dea             restart a role; apps go on
  kato process ready all -b 30 wait until everything is ready
  kato restart dea -n all      on every node that has the role, one after the other
`;

/**
 * The cluster administrator's command.
 *
 * @returns the exit code: 0 done, 1 refused or failed, 2 wrong use, 141 when nobody read what it said
 */
export async function kato(args: string[], ended: AbortSignal): Promise<number> {
  const unread = whenUnread(process.stdout, process.stderr);
  const code = await runKato(args, AbortSignal.any([ended, unread]));
  return unread.aborted && !ended.aborted ? UNREAD : code;
}

async function runKato(args: string[], signal: AbortSignal): Promise<number> {
  try {
    if (args[0] === 'tell') return await tellCommand(args[1] ?? '', args.slice(2));
    const named = takeNodeNames(args);
    if ('missing' in named) throw new Refusal(`${named.missing} needs a node`, 'for example kato status -n 10.0.0.7');
    if (named.nodes.length > 0) return await runOnNodes(named.nodes, named.args, signal);
  } catch (error) {
    process.stderr.write(`kato: ${formatRefusal(error)}\n`);
    return 1;
  }
  const program = new Command('kato')
    .description(`Administers the nodes of a Stackato cluster.\n${EXAMPLES}`)
    .version(platformVersion, '-V, --version')
    .configureHelp({ showGlobalOptions: true })
    .option('-j, --json', 'print the result as JSON')
    .option('-y, --yaml', 'print the result as YAML')
    .option('-n, --node <nodes>', 'run it on these nodes: addresses, names or numbers with commas, or all')
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
    inspectCommand,
    opCommand,
    dataCommand,
    relocateCommand,
    licenseCommand,
    logCommand,
    historyCommand,
    reportCommand,
    debugCommand,
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
  let remember: ((code: number) => Promise<void>) | undefined;
  program.hook('preAction', async (_program, command) => {
    if (isRecorded(wordsOf(command))) remember = await rememberCommand(args);
  });
  const code = await run(program, args, context);
  await remember?.(code);
  return code;
}

async function run(program: Command, args: string[], context: { outcome: { code: number } }): Promise<number> {
  try {
    await program.parseAsync(args, { from: 'user' });
    return context.outcome.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`kato: ${formatRefusal(error)}\n`);
    return 1;
  }
}

/** A command's names, the program's own left out: `config`, `set`. */
function wordsOf(command: Command): string[] {
  return command.parent === null ? [] : [...wordsOf(command.parent), command.name()];
}

function descendants(command: Command): Command[] {
  return command.commands.flatMap((one) => [one, ...descendants(one)]);
}
