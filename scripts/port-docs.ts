import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ClusterConfig } from '../src/contract/config.ts';
import { decode } from '../src/contract/decode.ts';
import { type PortUse, portTable } from '../src/core/port-table.ts';

/** Writes docs/operations/ports.md from the table of ports; with `--check` only tells whether it is current. */
export const documentPath = fileURLToPath(new URL('../docs/operations/ports.md', import.meta.url));

const ADDRESSES = { all: 'all', node: "the node's", local: '127.0.0.1', link: '127.0.0.2' } as const;

/** The page, as it should be. */
export function portsPage(): string {
  const all = portTable(decode(ClusterConfig, {}, 'defaults'));
  const isLocal = ({ audience }: PortUse) => audience === 'this machine';
  return [
    '# Ports',
    '',
    '<!-- Written by scripts/port-docs.ts from src/core/port-table.ts; do not edit. -->',
    '',
    'What listens where, with the default ports; [settings](configuration.md) change most of them. A node has the rows of its roles.',
    'Nothing of the platform listens beyond this table: `kato inspect` and a test hold the sockets of a node against it.',
    '`kato op firewall` writes kernel rules that let nobody in but those named here (see [operating](operating.md)).',
    '',
    '## Reached by others',
    '',
    'Between nodes of a cluster everything is encrypted and both sides prove who they are. SSH (22) is the machine’s own affair.',
    '',
    ...tableOf(all.filter((use) => !isLocal(use))),
    '',
    '## Within the machine',
    '',
    ...tableOf(all.filter(isLocal)),
    '',
  ].join('\n');
}

function tableOf(uses: readonly PortUse[]): string[] {
  return [
    '| Port | Role | Name | Address | From | Where | What |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...uses.map((use) => `| ${cells(use).join(' | ')} |`),
  ];
}

function cells(use: PortUse): string[] {
  const { protocol, first, last, role, name, address, audience, topology, isAnyOf, what } = use;
  const port = first === last ? `${first}` : `${isAnyOf ? 'any of ' : ''}${first} to ${last}`;
  const from = typeof audience === 'string' ? audience : `nodes with ${audience.join(', ')}`;
  const where = topology === undefined ? 'both' : topology === 'micro' ? 'micro cloud' : 'cluster';
  return [`${port} ${protocol}`, role, name, ADDRESSES[address], from, where, what];
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const page = portsPage();
  if (process.argv.includes('--check')) process.exitCode = readFileSync(documentPath, 'utf8') === page ? 0 : 1;
  else writeFileSync(documentPath, page);
}
