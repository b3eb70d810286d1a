import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { parse } from 'yaml';
import { type License, licenseInWords, readLicense } from '../../core/license.ts';
import { changeConfig, findConfig } from '../config-client.ts';
import { type Node, openNode } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { Refusal } from '../refusal.ts';
import { readStandardInput } from '../standard-input.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

/** `kato license [show | set | delete]`. */
export function licenseCommand(program: Command, _context: CommandContext): void {
  const group = program
    .command('license')
    .summary("the cluster's licence")
    .description(
      describe(
        'Shows and keeps the licence under which this platform is used. Nothing is limited by it.',
        'kato license',
        'kato license set license.yml',
      ),
    );
  group
    .command('show', { isDefault: true })
    .summary('shows it')
    .description(describe('Shows the licence.', 'kato license', 'kato license show --json'))
    .action(async (_options: unknown, command: Command) => {
      const license = await findLicense(await openNode());
      const lines = Object.entries(license).map(([name, value]) => `${name}: ${value}`);
      terminalOf(command).result(lines.join('\n') || licenseInWords(license), license);
    });
  group
    .command('set')
    .argument('<file>', 'names and values as JSON or YAML, or a text; - for standard input')
    .summary('keeps it, for the whole cluster')
    .description(
      describe(
        'Keeps a licence in the settings of the cluster (cluster.license) instead of the one before.',
        'kato license set license.yml',
        'kato license set - < license.json',
      ),
    )
    .action(async (file: string, _options: unknown, command: Command) => {
      const read = readLicense(parseText(await textOf(file)));
      if ('refused' in read) {
        throw new Refusal(`${file === '-' ? 'standard input' : file} is no licence: ${read.refused}`, 'give its text');
      }
      const { license } = read;
      const revision = await changeConfig(await openNode(), { path: 'cluster.license', value: license });
      terminalOf(command).result(`revision ${revision}; licence: ${licenseInWords(license)}`, {
        revision,
        license,
      });
    });
  group
    .command('delete')
    .summary('forgets it')
    .description(describe('Forgets the licence.', 'kato license delete'))
    .action(async (_options: unknown, command: Command) => {
      const revision = await changeConfig(await openNode(), { path: 'cluster.license' });
      terminalOf(command).result(`revision ${revision}; no licence is set`, { revision, license: {} });
    });
}

async function findLicense(node: Node): Promise<License> {
  await using probe = new ReadinessProbe(node);
  const bus = await probe.bus();
  const now = bus === undefined ? undefined : await findConfig(bus);
  return (now?.config ?? node.config).cluster.license;
}

async function textOf(file: string): Promise<string> {
  if (file === '-') return readStandardInput();
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new Refusal(
      `${file} can't be read: ${(cause as Error).message}`,
      'for example kato license set license.yml',
      {
        cause,
      },
    );
  }
}

/** A text that is neither JSON nor YAML is a licence too. */
function parseText(text: string): unknown {
  try {
    return parse(text);
  } catch {
    return text;
  }
}
