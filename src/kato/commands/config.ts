import type { Command } from 'commander';
import type { ClusterConfig } from '../../contract/config.ts';
import { subjects } from '../../contract/subjects.ts';
import { openNode } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { Refusal } from '../refusal.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

const TIMEOUT_MS = 5000;

/** `kato config get | set | del`. */
export function configCommand(program: Command, _context: CommandContext): void {
  const group = program
    .command('config')
    .summary("the cluster's settings")
    .description(
      describe("Shows and changes the cluster's settings.", 'kato config get', 'kato config set router.pruneS 60'),
    );
  group
    .command('get')
    .argument('[setting]', 'section, or section.key')
    .summary('shows settings')
    .description(
      describe(
        'Shows settings, with defaults where nothing was set.',
        'kato config get',
        'kato config get router.pruneS',
      ),
    )
    .action(async (path: string | undefined, _options: unknown, command: Command) => {
      const node = await openNode();
      const value = path === undefined ? node.config : read(node.config, path);
      terminalOf(command).result(typeof value === 'string' ? value : JSON.stringify(value, null, 2), value);
    });
  group
    .command('set')
    .argument('<setting>', 'section.key')
    .argument('<value>', 'JSON, or plain text')
    .summary('changes a setting')
    .description(
      describe(
        'Changes a setting for the whole cluster.',
        'kato config set dea.memoryMb 8192',
        'kato config set staging.environment.HTTP_PROXY http://proxy:3128',
      ),
    )
    .action((path: string, value: string, _options: unknown, command: Command) =>
      set(command, { path, value: parse(value) }),
    );
  group
    .command('del')
    .argument('<setting>', 'section.key')
    .summary('sets a setting back to its default')
    .description(describe('Sets a setting back to its default.', 'kato config del dea.memoryMb'))
    .action((path: string, _options: unknown, command: Command) => set(command, { path }));
}

async function set(command: Command, change: { path: string; value?: unknown }): Promise<void> {
  const node = await openNode();
  await using probe = new ReadinessProbe(node);
  const bus = await probe.bus();
  const [answer] =
    bus === undefined ? [] : await bus.request(subjects.configSet, [], change, { timeoutMs: TIMEOUT_MS });
  if (answer === undefined)
    throw new Refusal('the primary does not answer', 'run `kato status`, then `kato start primary`');
  if (answer.refused !== undefined) throw new Refusal(answer.refused, '`kato config get` lists every setting');
  const section = change.path.split('.')[0];
  terminalOf(command).result(`revision ${answer.revision}; processes read settings when they start: kato restart`, {
    revision: answer.revision,
    section,
  });
}

function read(config: ClusterConfig, path: string): unknown {
  let value: unknown = config;
  for (const key of path.split('.')) {
    value =
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<string, unknown>)[key]
        : undefined;
  }
  if (value === undefined) throw new Refusal(`there is no setting '${path}'`, '`kato config get` lists every setting');
  return value;
}

/** Numbers, lists and true or false are JSON; anything else is text. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}
