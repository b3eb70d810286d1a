import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ClusterConfig, coreSettings, secretSettings } from '../src/contract/config.ts';
import { type ConfigEffect, effectOf } from '../src/core/config-effect.ts';
import { describeSettingType, type SettingSchema } from '../src/core/setting-type.ts';

/** Writes docs/operations/configuration.md from the configuration's schema; with `--check` only tells whether it is current. */
export const documentPath = fileURLToPath(new URL('../docs/operations/configuration.md', import.meta.url));

type Schema = SettingSchema & {
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
};

/** The page, as it should be. */
export function configurationPage(): string {
  const sections = Object.entries((ClusterConfig as unknown as Schema).properties ?? {});
  const parts = sections.map(([section, schema]) => {
    const rows = Object.entries(schema.properties ?? {}).map(([key, setting]) => {
      const cells = [
        `\`${section}.${key}\``,
        formatDefault(setting),
        describeSettingType(setting),
        countsFrom(effectOf(`${section}.${key}`)),
        setting.description ?? '',
      ];
      return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
    });
    return [
      `## ${section}`,
      '',
      '| Setting | Default | Allowed | Counts | Meaning |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
    ].join('\n');
  });
  return [
    '# Settings',
    '',
    '<!-- Written by scripts/config-docs.ts from src/contract/config.ts; do not edit. -->',
    '',
    'Kept in the control database, one set for the whole cluster. `kato config get` shows them with their values,',
    '`kato config set SECTION.KEY VALUE` changes one, `kato config del SECTION.KEY` restores its default, `kato config push`',
    'and `pop` add to lists and take out of them. What a setting does not take is refused. Some count at once on every node;',
    'others when processes start again: kato says which roles to restart, and `--restart` does so on this node.',
    '',
    'Without a value, or with `-`, the value is read from standard input.',
    '',
    '## Secret settings',
    '',
    'Kept encrypted in the control database and nowhere else, told to the processes that use them over the bus, and never',
    'shown: `kato config get` tells only whether one is set. They are given on standard input, as in',
    '`kato config set blobs.s3.secretAccessKey - < FILE`.',
    '',
    '| Setting | Meaning |',
    '| --- | --- |',
    ...Object.entries({ ...secretSettings, ...coreSettings }).map(([name, what]) => `| \`${name}\` | ${what} |`),
    '',
    ...parts.flatMap((part) => [part, '']),
  ].join('\n');
}

function countsFrom({ roles, isWhole }: ConfigEffect): string {
  if (isWhole) return 'restart of all';
  return roles.length === 0 ? 'at once' : `restart of ${roles.join(', ')}`;
}

function formatDefault({ default: value }: Schema): string {
  if (value === undefined) return '';
  if (value === '') return 'empty';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = configurationPage();
  if (process.argv.includes('--check')) process.exitCode = readFileSync(documentPath, 'utf8') === page ? 0 : 1;
  else writeFileSync(documentPath, page);
}
