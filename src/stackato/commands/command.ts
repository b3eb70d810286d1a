import { type Command, Option } from 'commander';
import type { Context } from '../context.ts';
import type { GlobalOptions } from '../settings.ts';

/** Runs a command's action with the context that its global options make. */
export type Run = (globals: GlobalOptions, action: (context: Context) => Promise<void>) => Promise<void>;

type Shorts = { readonly manifest?: string; readonly path?: string };

/** Adds the options that every command takes, before or after its name. */
export function addGlobals(command: Command, shorts: Shorts = {}): Command {
  const short = (letter: string | undefined, long: string) => (letter === undefined ? long : `-${letter}, ${long}`);
  const globals = [
    new Option('--target <url>', 'API to use for this call (STACKATO_TARGET)'),
    new Option('--token <token>', 'bearer token to use for this call (STACKATO_TOKEN)'),
    new Option('-o, --organization <name>', 'organization (STACKATO_ORGANIZATION)'),
    new Option('--space <name>', 'space (STACKATO_SPACE)'),
    new Option(short(shorts.manifest, '--manifest <file>'), 'manifest.yml or stackato.yml to use (STACKATO_MANIFEST)'),
    new Option(short(shorts.path, '--path <folder>'), 'folder of the app, instead of this one (STACKATO_PATH)'),
    new Option('-n, --no-prompt', 'never ask (STACKATO_NO_PROMPT)'),
    new Option('--json', 'answer with one JSON document on standard output'),
    new Option('--skip-ssl-validation', 'do not check certificates'),
    new Option('--ca <file>', 'PEM file with certificates to trust besides the known ones'),
  ];
  for (const option of globals) {
    option.helpGroup('Options of every command:');
    command.addOption(option);
  }
  const help = new Option('-h, --help', 'show this help').helpGroup('Options of every command:');
  return command.addHelpOption(help).showHelpAfterError(`next: ${pathOf(command)} --help`);
}

const pathOf = (command: Command) => (command.parent ? `${command.parent.name()} ${command.name()}` : command.name());

/** A command with its description, and examples first in its help. */
export function define(
  program: Command,
  usage: string,
  about: { summary: string; examples: readonly string[]; aliases?: readonly string[] },
): Command {
  const { aliases = [], summary } = about;
  const also = aliases.length > 0 ? ` (also: ${aliases.join(', ')})` : '';
  const command = program.command(usage).summary(`${summary}${also}`).description(`${summary}${also}`);
  command.aliases([...aliases]);
  const examples = about.examples.map((example) => `  stackato ${example}`).join('\n');
  command.addHelpText('before', `Examples:\n${examples}\n`);
  return command;
}

/** The global options that were really given, wherever they stand. */
export function globalsOf(command: Command): GlobalOptions {
  const given: Record<string, unknown> = {};
  for (let one: Command | null = command; one !== null; one = one.parent) {
    for (const [name, value] of Object.entries(one.opts())) {
      if (one.getOptionValueSource(name) === 'cli' && !(name in given)) given[name] = value;
    }
  }
  return given;
}

/** Gathers a repeatable option. */
export function gather(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}
