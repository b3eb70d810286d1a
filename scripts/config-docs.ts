import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ClusterConfig } from '../src/contract/config.ts';

/** Writes docs/operations/configuration.md from the configuration's schema; with `--check` only tells whether it is current. */
export const documentPath = fileURLToPath(new URL('../docs/operations/configuration.md', import.meta.url));

type Schema = {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
};

/** The page, as it should be. */
export function configurationPage(): string {
  const sections = Object.entries((ClusterConfig as unknown as Schema).properties ?? {});
  const parts = sections.map(([section, schema]) => {
    const rows = Object.entries(schema.properties ?? {}).map(([key, setting]) => {
      const cells = [`\`${section}.${key}\``, formatDefault(setting), rangeOf(setting), setting.description ?? ''];
      return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
    });
    return [
      `## ${section}`,
      '',
      '| Setting | Default | Allowed | Meaning |',
      '| --- | --- | --- | --- |',
      ...rows,
    ].join('\n');
  });
  return [
    '# Settings',
    '',
    '<!-- Written by scripts/config-docs.ts from src/contract/config.ts; do not edit. -->',
    '',
    'Kept in the control database, one set for the whole cluster. `kato config get` shows them with their values,',
    '`kato config set SECTION.KEY VALUE` changes one, `kato config del SECTION.KEY` restores its default. Processes read',
    'them when they start: `kato restart ROLE` afterwards.',
    '',
    ...parts.flatMap((part) => [part, '']),
  ].join('\n');
}

function formatDefault({ default: value }: Schema): string {
  if (value === undefined) return '';
  if (value === '') return 'empty';
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

function rangeOf({ type, minimum, maximum }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) return `${minimum} to ${maximum}`;
  if (minimum !== undefined) return `${minimum} or more`;
  return type === 'object' ? 'names and values' : (type ?? '');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = configurationPage();
  if (process.argv.includes('--check')) process.exitCode = readFileSync(documentPath, 'utf8') === page ? 0 : 1;
  else writeFileSync(documentPath, page);
}
