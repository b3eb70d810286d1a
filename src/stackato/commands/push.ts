import type { Command } from 'commander';
import { parseSizeMb } from '../../contract/units.ts';
import type { PushFlags } from '../../core/push-plan.ts';
import { describeDecision, push } from '../actions/push.ts';
import { ClientError } from '../client-error.ts';
import type { Context } from '../context.ts';
import { define, gather, globalsOf, type Run } from './command.ts';

type PushOptions = {
  readonly as?: string;
  readonly url?: readonly string[];
  readonly domain?: string;
  readonly instances?: string;
  readonly mem?: string;
  readonly disk?: string;
  readonly env?: readonly string[];
  readonly buildpack?: readonly string[];
  readonly stack?: string;
  readonly placementZone?: string;
  readonly command?: string;
  readonly framework?: string;
  readonly healthCheckType?: string;
  readonly endpoint?: string;
  readonly healthTimeout?: string;
  readonly timeout?: string;
  readonly route: boolean;
  readonly randomRoute?: boolean;
  readonly start: boolean;
  readonly tail: boolean;
  readonly dryRun?: boolean;
  readonly var?: readonly string[];
};

/** push. */
export function pushCommand(program: Command, run: Run): void {
  define(program, 'push [names...]', {
    summary: 'Upload the code of an app, build it, and run it',
    examples: [
      'push',
      'push demo',
      'push demo --mem 256M -i 2 --env COLOUR=blue',
      'push --dry-run',
      'push demo --path build/demo.jar',
    ],
  })
    .option('--as <name>', 'name of the app')
    .option('--url <url>', 'url that leads to it; repeatable', gather)
    .option('--domain <domain>', 'domain of its url')
    .option('-i, --instances <count>', 'how many instances')
    .option('-m, --mem <size>', 'memory of each instance, such as 256M')
    .option('-k, --disk <size>', 'disk of each instance, such as 1G')
    .option('--env <name=value>', 'variable of its environment; repeatable', gather)
    .option('-b, --buildpack <name>', 'buildpack; repeatable', gather)
    .option('-s, --stack <name>', 'root file system to run on')
    .option('--placement-zone <zone>', 'run it on DEAs of this placement zone only')
    .option('-c, --command <command>', 'start command; "null" for the one that staging finds')
    .option('--framework <name>', 'what it is: java, ruby, python, go, php, nodejs, static, binary')
    .option('-u, --health-check-type <type>', 'port, http or process')
    .option('--endpoint <path>', 'path that the http health check asks')
    .option('-t, --timeout <seconds>', 'how long it may take to become healthy')
    .option('--health-timeout <seconds>', 'the same')
    .option('--no-route', 'no url at all')
    .option('--random-route', 'a random url')
    .option('--no-start', 'only build it')
    .option('--no-tail', 'do not show the log while building and starting')
    .option('--dry-run', 'only show what would be done')
    .option('--var <name=value>', 'value of ((name)) in the manifest; repeatable', gather)
    .action((names: string[], options: PushOptions, command: Command) =>
      run(globalsOf(command), (context) => pushApps(context, names, options)),
    );
}

async function pushApps(context: Context, names: readonly string[], options: PushOptions): Promise<void> {
  const { terminal } = context;
  const result = await push(context, {
    names,
    flags: flagsOf(options),
    variables: pairsOf('--var', options.var ?? []),
    doesStart: options.start,
    doesTail: options.tail,
    isDryRun: Boolean(options.dryRun),
  });
  // People were told all along; only machines and dry runs get an answer at the end.
  terminal.answer(result, () => {
    for (const plan of result) {
      if (!('decisions' in plan)) continue;
      terminal.say(`${plan.name}:`);
      for (const decision of plan.decisions) terminal.say(describeDecision(decision));
      for (const [key, value] of Object.entries(plan.manifest)) {
        terminal.say(`  ${key} = ${typeof value === 'string' ? value : JSON.stringify(value)}`);
      }
    }
  });
}

function flagsOf(options: PushOptions): PushFlags {
  const manifest: Record<string, unknown> = {};
  const set = (key: string, value: unknown) => {
    if (value !== undefined) manifest[key] = value;
  };
  set('instances', wholeOf('--instances', options.instances, 0));
  set('memory', sizeOf('--mem', options.mem));
  set('disk_quota', sizeOf('--disk', options.disk));
  set('buildpacks', options.buildpack);
  set('stack', options.stack);
  set('placement-zone', options.placementZone);
  set('command', options.command === 'null' || options.command === 'default' ? null : options.command);
  set(
    'health-check-type',
    choiceOf('--health-check-type', options.healthCheckType, ['port', 'http', 'process', 'none']),
  );
  set('health-check-http-endpoint', options.endpoint);
  set('timeout', wholeOf('--timeout', options.timeout ?? options.healthTimeout, 1));
  set('no-route', options.route ? undefined : true);
  set('random-route', options.randomRoute);
  return {
    manifest,
    env: pairsOf('--env', options.env ?? []),
    routes: options.url ?? [],
    ...(options.as === undefined ? {} : { name: options.as }),
    ...(options.domain === undefined ? {} : { domain: options.domain }),
    ...(options.framework === undefined ? {} : { framework: options.framework }),
  };
}

function wholeOf(option: string, text: string | undefined, least: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least) return value;
  throw new ClientError(`${option} must be a whole number from ${least}, not '${text}'`, { exitCode: 2 });
}

function sizeOf(option: string, text: string | undefined): string | undefined {
  const written = text !== undefined && /^\d+$/.test(text) ? `${text}M` : text;
  if (written === undefined || parseSizeMb(written) !== undefined) return written;
  throw new ClientError(`${option} ${text} is not a size; write a number with M or G, such as 256M or 1G`, {
    exitCode: 2,
  });
}

function choiceOf(option: string, text: string | undefined, allowed: readonly string[]): string | undefined {
  if (text === undefined || allowed.includes(text)) return text;
  throw new ClientError(`${option} must be one of ${allowed.join(', ')}, not '${text}'`, { exitCode: 2 });
}

function pairsOf(option: string, words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      if (at > 0) return [word.slice(0, at), word.slice(at + 1)];
      throw new ClientError(`${option} ${word} is not NAME=VALUE`, { exitCode: 2 });
    }),
  );
}
