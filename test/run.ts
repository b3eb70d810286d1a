import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { debianPackages, ensurePackages, rolePackages } from '../src/kato/setup/packages.ts';
import { removeAbandoned } from './lab/abandoned.ts';

/**
 * Runs the tests: `npm test` all tiers in order, `npm test -- unit simulation` only those named,
 * `npm test -- path/to/x.test.ts` only those files. The last line is `N passed, N failed[, N skipped]`.
 */
const containers = [
  'src/container/fence/{fence,isolation,killed,limits,network,owners,recovery,reserve}.test.ts',
  'src/dea/real.test.ts',
];
type Tier = { readonly files: readonly string[]; readonly but?: readonly string[]; readonly concurrency: number };
const tiers: Readonly<Record<string, Tier>> = {
  unit: { files: ['test/*.test.ts', 'src/**/*.test.ts'], but: containers, concurrency: 2 },
  // Real containers on this machine's network; two of these at once would take each other's addresses.
  containers: { files: containers, concurrency: 1 },
  simulation: { files: ['test/simulation/**/*.test.ts'], concurrency: 2 },
  acceptance: { files: ['test/acceptance/**/*.test.ts', 'test/lab/**/*.test.ts'], concurrency: 1 },
};

const wanted = process.argv.slice(2);
const paths = wanted.filter((name) => name.includes('.test.ts'));
const names = wanted.filter((name) => !paths.includes(name));
const unknown = names.filter((name) => !(name in tiers));
if (unknown.length > 0) {
  process.stderr.write(`no test tier called ${unknown.join(', ')}; one of ${Object.keys(tiers).join(', ')}\n`);
  process.exit(2);
}

/** What the tests use besides what the platform runs on. */
const testPackages = ['busybox-static', 'chromium', 'curl', 'unzip'];
if (process.getuid?.() === 0) {
  const isNew = await ensurePackages(
    [...debianPackages, ...Object.values(rolePackages).flat(), ...testPackages],
    new AbortController().signal,
  );
  if (isNew) process.stdout.write('installed the Debian packages that were missing\n');
} else process.stdout.write('not root: Debian packages are not installed, and tests that need root say so\n');

const say = (text: string) => process.stdout.write(`${text}\n`);
await removeAbandoned(say);

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => stop.abort(new Error(`interrupted by ${signal}`)));
}

const counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];

async function runFiles(files: readonly string[], concurrency: number): Promise<void> {
  if (files.length === 0 || stop.signal.aborted) return;
  const stream = run({ files: [...files], concurrency, isolation: 'process', signal: stop.signal });
  stream.on('test:pass', (event) => {
    if (event.details.type === 'suite') return;
    if (event.skip !== undefined) {
      counts.skipped += 1;
      process.stdout.write(`skipped: ${event.name}: ${event.skip === true ? 'no reason given' : event.skip}\n`);
    } else counts.passed += 1;
  });
  stream.on('test:fail', (event) => {
    if (failureOf(event.details.error) === 'subtestsFailed') return;
    counts.failed += 1;
    failures.push(`${event.file ?? ''} › ${event.name}`);
  });
  for await (const text of stream.compose(spec)) process.stdout.write(text);
}

if (paths.length > 0) await runFiles(paths, 1);
else {
  for (const name of names.length > 0 ? names : Object.keys(tiers)) {
    const tier = tiers[name];
    if (!tier) continue;
    const startedMs = Date.now();
    const but = new Set(tier.but?.flatMap((pattern) => globSync(pattern)));
    const files = tier.files.flatMap((pattern) => globSync(pattern)).filter((file) => !but.has(file));
    await runFiles(files.sort(), tier.concurrency);
    process.stdout.write(`\n${name} took ${((Date.now() - startedMs) / 1000).toFixed(0)} s\n\n`);
  }
}
if (stop.signal.aborted) {
  say(String(stop.signal.reason));
  // Tests that were told to end have a moment to do so.
  for (let round = 0; round < 300 && hasChildren(); round++) await new Promise((done) => setTimeout(done, 100));
  await removeAbandoned(say);
}
for (const failure of failures) process.stdout.write(`failed: ${failure}\n`);
if (counts.passed + counts.failed === 0) {
  process.stdout.write('no tests were found\n');
  counts.failed = 1;
}
const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
process.stdout.write(`${counts.passed} passed, ${counts.failed} failed${skipped}\n`);
process.exit(counts.failed > 0 || stop.signal.aborted ? 1 : 0);

function hasChildren(): boolean {
  return spawnSync('pgrep', ['--parent', String(process.pid)]).status === 0;
}

/** How the test runner classifies a failure; a suite that failed only by its tests is not counted itself. */
function failureOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'failureType' in error ? error.failureType : undefined;
}
