import { join, resolve } from 'node:path';
import { Command, CommanderError } from 'commander';
import { platformVersion } from '../contract/version.ts';
import { type Clock, systemClock } from '../platform/clock.ts';
import { environment } from '../platform/config.ts';
import { pathsOf } from '../platform/paths.ts';
import { whenUnread } from '../platform/unread.ts';
import { ApiError, ClientError } from './client-error.ts';
import { appCommands } from './commands/apps.ts';
import { addGlobals, type Run } from './commands/command.ts';
import { controlCommands } from './commands/control.ts';
import { curlCommand } from './commands/curl.ts';
import { environmentCommands } from './commands/environment.ts';
import { logsCommand } from './commands/logs.ts';
import { pushCommand } from './commands/push.ts';
import { routingCommands } from './commands/routing.ts';
import { sessionCommands } from './commands/session.ts';
import { spaceCommands } from './commands/spaces.ts';
import { ConfigStore } from './config-store.ts';
import type { Context } from './context.ts';
import { settingsOf } from './settings.ts';
import { Terminal, type TerminalOptions } from './terminal.ts';

/** What surrounds one call of the command. */
export type Surroundings = TerminalOptions & {
  readonly clock: Clock;
  readonly folder: string;
  /** Folder of `config.json`. */
  readonly home: string;
  readonly clusterCaFile: string;
  /** A STACKATO_* variable by its name without the prefix. */
  readonly stackatoVariable: (name: string) => string | undefined;
  /** Any variable of the user's environment. */
  readonly variable: (name: string) => string | undefined;
};

/** The exit codes that shells give whoever was ended by a signal. */
const UNREAD = 141;
const INTERRUPTED = 130;
const SIGNALLED: ReadonlyMap<unknown, number> = new Map([
  ['SIGHUP', 129],
  ['SIGTERM', 143],
]);

/**
 * Runs the `stackato` command; gives its exit code: 0 well, 1 failed, 2 misused, 130 interrupted, 129 when its terminal
 * was closed, 143 when it was told to end, 141 unread.
 */
export async function stackato(args: readonly string[], signal: AbortSignal): Promise<number> {
  const home = environment.stackato('HOME') || join(environment.home, '.stackato');
  const unread = whenUnread(process.stdout, process.stderr);
  const code = await runStackato(args, AbortSignal.any([signal, unread]), {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    noColor: environment.noColor,
    clock: systemClock,
    folder: process.cwd(),
    home: resolve(home),
    clusterCaFile: pathsOf(environment.state).caCertificate,
    stackatoVariable: environment.stackato,
    variable: (name) => environment.all()[name],
  });
  if (unread.aborted && !signal.aborted) return UNREAD;
  return code === INTERRUPTED ? (SIGNALLED.get(signal.reason) ?? code) : code;
}

/** The same in given surroundings. */
export async function runStackato(
  args: readonly string[],
  signal: AbortSignal,
  surroundings: Surroundings,
): Promise<number> {
  const terminal = new Terminal(surroundings);
  terminal.isJson = args.includes('--json');
  // What still runs when the command ends, such as a second request after the first has failed, ends with it.
  const ended = new AbortController();
  const run: Run = async (globals, action) => {
    const settings = settingsOf(globals, surroundings.stackatoVariable);
    terminal.isJson = settings.isJson;
    if (settings.noPrompt || settings.isJson) terminal.canAsk = false;
    const { clock, folder, home, clusterCaFile, stackatoVariable, variable } = surroundings;
    const store = new ConfigStore(home, clock);
    const context: Context = {
      terminal,
      settings,
      store,
      clock,
      signal: AbortSignal.any([signal, ended.signal]),
      folder,
      clusterCaFile,
      variable: (name) => (name === 'USERNAME' || name === 'PASSWORD' ? stackatoVariable(name) : variable(name)),
    };
    await action(context);
  };
  try {
    await buildProgram(run, surroundings).parseAsync([...args], { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return misused(error, terminal);
    return report(error, terminal, signal);
  } finally {
    ended.abort();
  }
}

function buildProgram(run: Run, { stdout, stderr }: Surroundings): Command {
  const program = new Command('stackato')
    .description('Push apps to a Stackato platform and look after them')
    .enablePositionalOptions()
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ writeOut: (text) => stdout.write(text), writeErr: (text) => stderr.write(text) })
    .configureHelp({ subcommandTerm: termOf })
    .version(`stackato ${platformVersion}`, '--version', 'print the version of this command')
    .helpCommand(false);
  program.addHelpText(
    'before',
    'Examples:\n  stackato target api.stackato.localhost\n  stackato login ann@example.com\n  stackato push\n  stackato logs demo --follow\n  stackato scale demo -i 3\n',
  );
  addGlobals(program);
  for (const add of [
    sessionCommands,
    pushCommand,
    appCommands,
    controlCommands,
    logsCommand,
    environmentCommands,
    routingCommands,
    spaceCommands,
    curlCommand,
  ]) {
    add(program, run);
  }
  for (const command of program.commands) {
    addGlobals(command, command.name() === 'push' ? { manifest: 'f', path: 'p' } : {});
  }
  program
    .command('help [command]')
    .summary('Show the help of a command')
    .action((name: string | undefined) => helpOf(program, name));
  return program;
}

/** `map <name> <url>`: short, so that what it does fits beside it on a narrow terminal. */
function termOf(command: Command): string {
  const words = command.registeredArguments.map((argument) => {
    const name = argument.variadic ? `${argument.name()}...` : argument.name();
    return argument.required ? `<${name}>` : `[${name}]`;
  });
  return [command.name(), ...words].join(' ');
}

function helpOf(program: Command, name: string | undefined): void {
  if (name === undefined) return void program.outputHelp();
  const command = program.commands.find((one) => [one.name(), ...one.aliases()].includes(name));
  if (command) return void command.outputHelp();
  throw new ClientError(`There is no command '${name}'`, { next: 'See them all: stackato --help', exitCode: 2 });
}

/** Commander has told people already. */
function misused({ exitCode, message }: CommanderError, terminal: Terminal): number {
  if (exitCode === 0) return 0;
  const [what = message, ...details] = message.replace(/^error: /, '').split('\n');
  terminal.answer({ error: { message: what, details: details.filter(Boolean) } }, () => undefined);
  return 2;
}

function report(error: unknown, terminal: Terminal, signal: AbortSignal): number {
  const isInterrupted = signal.aborted && !(error instanceof ClientError);
  if (isInterrupted) {
    terminal.note('Interrupted');
    return INTERRUPTED;
  }
  if (!(error instanceof ClientError)) throw error;
  for (const line of error.details) terminal.note(line);
  terminal.note(terminal.paint(`error: ${error.message}`, 'red'));
  if (error.next !== undefined) terminal.note(`next: ${error.next}`);
  const api =
    error instanceof ApiError
      ? { status: error.status, code: error.code, title: error.title, request_id: error.requestId }
      : {};
  const document = { error: { message: error.message, details: error.details, next: error.next, ...api } };
  terminal.answer(document, () => undefined);
  return error.exitCode;
}
