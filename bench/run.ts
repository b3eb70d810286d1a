import { debianPackages, ensurePackages } from '../src/kato/setup/packages.ts';
import type { BenchRow } from './row.ts';

/**
 * `npm run bench` prints every performance figure with its target and, where there is one, the ratio to a peer measured
 * in the same run; `npm run bench -- router container` only those groups. Figures are told, never asserted.
 */
const groups: Readonly<Record<string, () => Promise<{ bench: () => Promise<BenchRow[]> }>>> = {
  container: () => import('./container.ts'),
  router: () => import('./router.ts'),
  core: () => import('./core.ts'),
  platform: () => import('./platform.ts'),
};

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !(name in groups));
if (unknown.length > 0) {
  process.stderr.write(`no bench group called ${unknown.join(', ')}; one of ${Object.keys(groups).join(', ')}\n`);
  process.exit(2);
}

// The peers that figures are compared with, and the load.
await ensurePackages([...debianPackages, 'busybox-static', 'curl', 'nginx-light', 'wrk'], new AbortController().signal);

const rows: BenchRow[] = [];
for (const [name, load] of Object.entries(groups)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  process.stderr.write(`measuring ${name} …\n`);
  rows.push(...(await (await load()).bench()));
}

const cells = rows.map((row) => [
  row.what,
  row.value,
  row.target,
  row.peer ?? '',
  row.ratio ?? '',
  row.ok === null ? '' : row.ok ? 'met' : 'MISSED',
]);
const table = [['what', 'measured', 'target', 'peer', 'ratio', ''], ...cells];
const widths = table[0]?.map((_, column) => Math.max(...table.map((line) => line[column]?.length ?? 0))) ?? [];
for (const line of table) {
  process.stdout.write(`${line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')}\n`);
}
