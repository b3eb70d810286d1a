import type { Command } from 'commander';
import { getApp, getEnvironment, setVariables } from '../api/apps.ts';
import { ClientError } from '../client-error.ts';
import { type Context, enterSpace } from '../context.ts';
import { harmless } from '../terminal.ts';
import { appNameOf } from './app-name.ts';
import { define, globalsOf, type Run } from './command.ts';

/** env, set-env, unset-env. */
export function environmentCommands(program: Command, run: Run): void {
  define(program, 'env [name]', { summary: "Show an app's environment", examples: ['env demo', 'env demo --json'] })
    .option('--all', 'with what the platform adds')
    .action((name: string | undefined, options: { all?: boolean }, command: Command) =>
      run(globalsOf(command), (context) => show(context, name, Boolean(options.all))),
    );
  define(program, 'set-env <name> <variables...>', {
    summary: 'Set variables of an app; they hold from its next start',
    examples: ['set-env demo COLOUR blue', 'set-env demo COLOUR=blue SIZE=9'],
    aliases: ['env-add'],
  }).action((name: string, variables: string[], _options, command: Command) =>
    run(globalsOf(command), (context) => change(context, name, pairsOf(variables))),
  );
  define(program, 'unset-env <name> <variables...>', {
    summary: 'Remove variables of an app',
    examples: ['unset-env demo COLOUR'],
    aliases: ['env-del'],
  }).action((name: string, variables: string[], _options, command: Command) =>
    run(globalsOf(command), (context) => unset(context, name, variables)),
  );
}

async function show(context: Context, given: string | undefined, isAll: boolean): Promise<void> {
  const { terminal } = context;
  const { api, space } = await enterSpace(context);
  const environment = await getEnvironment(api, await getApp(api, space, await appNameOf(context, given)));
  const own = environment.environment_variables ?? {};
  terminal.answer(environment, () => {
    const lines = Object.entries(own).map(([name, value]) => `${name}=${harmless(String(value))}`);
    for (const line of lines) terminal.say(line);
    if (lines.length === 0) terminal.say('No variables are set; set one: stackato set-env NAME VARIABLE VALUE');
    if (!isAll) return;
    const added = {
      ...objectOf(environment.running_env_json),
      ...objectOf(environment.system_env_json),
      ...objectOf(environment.application_env_json),
    };
    for (const [name, value] of Object.entries(added)) terminal.say(`${name}=${JSON.stringify(value, null, 2)}`);
  });
}

/** `NAME VALUE`, or any number of `NAME=VALUE`. */
function pairsOf(words: readonly string[]): Record<string, string> {
  const [first = '', second] = words;
  if (words.length === 2 && second !== undefined && !first.includes('=')) return { [first]: second };
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      if (at > 0) return [word.slice(0, at), word.slice(at + 1)];
      throw new ClientError(`'${word}' is not NAME=VALUE`, { next: 'stackato set-env APP NAME=VALUE', exitCode: 2 });
    }),
  );
}

async function change(
  context: Context,
  name: string,
  variables: Readonly<Record<string, string | null>>,
): Promise<void> {
  const { terminal } = context;
  const { api, space } = await enterSpace(context);
  const app = await getApp(api, space, name);
  await setVariables(api, app, variables);
  terminal.answer({ name, variables: Object.keys(variables) }, () => {
    for (const [variable, value] of Object.entries(variables)) {
      terminal.say(`${variable} is ${value === null ? 'removed from' : 'set for'} ${name}`);
    }
    if (app.state === 'STARTED') terminal.say(`It holds from the next start: stackato restart ${name}`);
  });
}

async function unset(context: Context, name: string, variables: readonly string[]): Promise<void> {
  const { api, space } = await enterSpace(context);
  const environment = await getEnvironment(api, await getApp(api, space, name));
  const missing = variables.filter((variable) => !Object.hasOwn(environment.environment_variables ?? {}, variable));
  if (missing.length > 0) {
    throw new ClientError(`${name} has no variable ${missing.join(', ')}`, {
      next: `See what is set: stackato env ${name}`,
    });
  }
  await change(context, name, Object.fromEntries(variables.map((variable) => [variable, null])));
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
