import type { Command } from 'commander';
import { ClusterConfig, secretSettings } from '../../contract/config.ts';
import { findSetting, readSetting, type SettingChange } from '../../core/config-change.ts';
import { effectOf } from '../../core/config-effect.ts';
import { listProcesses } from '../../core/role-plan.ts';
import { readSettingText } from '../../core/setting-type.ts';
import { changeConfig, findConfig } from '../config-client.ts';
import { effectInWords, refuseMissingFolder } from '../config-effect.ts';
import { restartProcesses } from '../lifecycle.ts';
import { type Node, openNode } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { Refusal } from '../refusal.ts';
import { readStandardInput } from '../standard-input.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';
import { describeDatabaseUrl, isCoreSetting, setDatabaseUrl } from './config-database.ts';

type Scope = { readonly command: Command; readonly context: CommandContext; readonly isRestart: boolean };

/** `kato config get | set | del | push | pop`. */
export function configCommand(program: Command, context: CommandContext): void {
  const group = program
    .command('config')
    .summary("the cluster's settings")
    .description(
      describe("Shows and changes the cluster's settings.", 'kato config get', 'kato config set router.pruneS 60'),
    );
  getCommand(group);
  setCommand(group, context);
  delCommand(group, context);
  listCommands(group, context);
}

function getCommand(group: Command): void {
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
      const value =
        path !== undefined && isCoreSetting(path) ? await describeDatabaseUrl() : await read(node, path, command);
      terminalOf(command).result(typeof value === 'string' ? value : JSON.stringify(value, null, 2), value);
    });
}

function setCommand(group: Command, context: CommandContext): void {
  restartable(group.command('set'))
    .argument('<setting>', 'section.key')
    .argument('[value]', 'text, number, true, false or JSON; - or nothing: from standard input')
    .summary('changes a setting')
    .description(
      describe(
        'Changes a setting for the whole cluster. What can’t be its value is refused.',
        'kato config set dea.memoryMb 8192',
        'kato config set staging.environment.HTTP_PROXY http://proxy:3128',
        'kato config set router.drainMs 10000 --restart',
        'kato config set blobs.s3.secretAccessKey - < key',
        'kato config set database.url - < url',
      ),
    )
    .action(async (path: string, value: string | undefined, options: { restart?: boolean }, command: Command) => {
      const isRestart = options.restart ?? false;
      const isOfCore = isCoreSetting(path);
      const schema = isOfCore ? undefined : schemaOf(path);
      const isSecret = schema === undefined;
      if (isSecret && value !== undefined && value !== '-') {
        throw new Refusal(
          `${path} is a secret, and a command line is seen by others`,
          `give it on standard input: kato config set ${path} - < FILE`,
        );
      }
      const text = value === undefined || value === '-' ? await ask(path, isSecret) : value;
      if (isOfCore) return setDatabaseUrl(text, { terminal: terminalOf(command), context });
      await change({ command, context, isRestart }, { path, value: schema ? readSettingText(schema, text) : text });
    });
}

function delCommand(group: Command, context: CommandContext): void {
  restartable(group.command('del'))
    .argument('<setting>', 'section.key')
    .summary('sets a setting back to its default')
    .description(describe('Sets a setting back to its default.', 'kato config del dea.memoryMb'))
    .action((path: string, options: { restart?: boolean }, command: Command) => {
      if (isCoreSetting(path)) return setDatabaseUrl(undefined, { terminal: terminalOf(command), context });
      schemaOf(path);
      return change({ command, context, isRestart: options.restart ?? false }, { path });
    });
}

function listCommands(group: Command, context: CommandContext): void {
  const network = 'router.trustedProxies 10.0.0.0/8';
  restartable(group.command('push'))
    .argument('<setting>', 'section.key of a list')
    .argument('<value>')
    .summary('adds a value to a list')
    .description(describe('Adds a value at the end of a list.', `kato config push ${network}`))
    .action((path: string, value: string, options: { restart?: boolean }, command: Command) => {
      const scope = { command, context, isRestart: options.restart ?? false };
      return change(scope, { path, action: 'push', value: itemOf(path, value) });
    });
  restartable(group.command('pop'))
    .argument('<setting>', 'section.key of a list')
    .argument('[value]', 'the last one without it')
    .summary('takes a value out of a list')
    .description(
      describe('Takes a value out of a list.', `kato config pop ${network}`, 'kato config pop router.trustedProxies'),
    )
    .action((path: string, value: string | undefined, options: { restart?: boolean }, command: Command) => {
      const scope = { command, context, isRestart: options.restart ?? false };
      const item = value === undefined ? {} : { value: itemOf(path, value) };
      return change(scope, { path, action: 'pop', ...item });
    });
}

function restartable(command: Command): Command {
  return command.option('--restart', 'restart what reads it, on this node; apps go on');
}

async function change({ command, context, isRestart }: Scope, wanted: SettingChange): Promise<void> {
  if (wanted.path === 'cluster.domain') {
    throw new Refusal(
      'the domain is in addresses of apps and in certificates too',
      'kato node rename api.DOMAIN changes all',
    );
  }
  const terminal = terminalOf(command);
  const node = await openNode();
  await refuseMissingFolder(node, wanted.path, wanted.value);
  const revision = await changeConfig(node, wanted);
  const effect = effectOf(wanted.path);
  const plans = listProcesses(node.file).filter(({ name }) => effect.processes.includes(name));
  if (isRestart) {
    await restartProcesses(node, plans, { say: terminal.say, signal: context.signal });
  }
  const restarted = isRestart ? plans.map(({ name }) => name) : [];
  const text =
    isRestart && effect.processes.length > 0
      ? `restarted here: ${restarted.join(', ') || 'nothing reads it here'}`
      : await effectInWords(node, effect);
  terminal.result(`revision ${revision}; ${text}`, { revision, setting: wanted.path, ...effect, restarted });
}

/** A setting's schema; undefined for one that is secret. */
function schemaOf(path: string) {
  if (Object.hasOwn(secretSettings, path)) return undefined;
  const setting = findSetting(ClusterConfig, path);
  if ('refused' in setting) throw new Refusal(setting.refused, '`kato config get` lists every setting');
  return setting.schema;
}

function itemOf(path: string, text: string): unknown {
  return readSettingText(schemaOf(path)?.items ?? { type: 'string' }, text);
}

async function ask(path: string, isSecret: boolean): Promise<string> {
  if (!process.stdin.isTTY) {
    const text = await readStandardInput();
    if (text !== '') return text;
    throw new Refusal('standard input is empty', `for example kato config set ${path} - < FILE`);
  }
  if (!isSecret) throw new Refusal(`no value for ${path} was given`, `for example kato config set ${path} VALUE`);
  const { password, isCancel } = await import('@clack/prompts');
  const answer = await password({ message: secretSettings[path] ?? path, mask: '•' });
  if (!isCancel(answer) && answer) return answer;
  throw new Refusal('nothing was changed', `give it on standard input: kato config set ${path} - < FILE`);
}

/** As the primary has them; from this node's copy while it does not answer. */
async function read(node: Node, path: string | undefined, command: Command): Promise<unknown> {
  await using probe = new ReadinessProbe(node);
  const bus = await probe.bus();
  const now = bus === undefined ? undefined : await findConfig(bus);
  if (now === undefined)
    terminalOf(command).say('the primary does not answer: these are the settings as this node last heard them');
  const config = now?.config ?? node.config;
  if (path === undefined) return config;
  if (Object.hasOwn(secretSettings, path)) {
    if (now === undefined) throw new Refusal('the primary does not answer', 'run `kato status`');
    return now.secrets.includes(path) ? 'set; its value is not shown' : 'not set';
  }
  const value = readSetting(config, path.split('.'));
  if (value !== undefined) return value;
  const setting = findSetting(ClusterConfig, path);
  if ('refused' in setting) throw new Refusal(setting.refused, '`kato config get` lists every setting');
  throw new Refusal(`${path} is not set`);
}
