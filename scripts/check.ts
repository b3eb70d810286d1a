import { spawnSync } from 'node:child_process';

/** Format and lint, then types; each fails the whole. */
const checks: readonly (readonly string[])[] = [
  ['node_modules/@biomejs/biome/bin/biome', 'ci', '--error-on-warnings', '.'],
  ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'],
  ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.console.json'],
];

let failed = false;
for (const args of checks) {
  process.stdout.write(`> ${args.join(' ')}\n`);
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  failed ||= status !== 0;
}
process.exitCode = failed ? 1 : 0;
