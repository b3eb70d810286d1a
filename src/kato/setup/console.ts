import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from '../../platform/exec.ts';
import { isMissing } from '../../platform/files.ts';
import { sourceRoot } from '../../platform/paths.ts';
import type { Step } from './step.ts';

const BUILD_TIMEOUT_MS = 300_000;

/** The console's files, built when its sources are newer. */
export const buildConsole: Step = { title: 'Console', run: ({ signal }) => ensureConsole(signal) };

/** Builds them when their sources are newer. */
export async function ensureConsole(signal: AbortSignal): Promise<'done' | 'already' | { skipped: string }> {
  const source = join(sourceRoot, 'src', 'console');
  const config = join(source, 'vite.config.ts');
  if ((await newestMs(config)) === 0) return { skipped: 'left out: this version has no console' };
  const builtMs = await newestMs(join(sourceRoot, 'dist', 'console', 'index.html'));
  const sources = [await newestMs(source), await newestMs(join(sourceRoot, 'src', 'contract'))];
  if (builtMs > Math.max(...sources)) return 'already';
  const vite = join(sourceRoot, 'node_modules', 'vite', 'bin', 'vite.js');
  await exec([process.execPath, vite, 'build', '--config', config], {
    cwd: sourceRoot,
    timeoutMs: BUILD_TIMEOUT_MS,
    signal,
  });
  return 'done';
}

/** The newest change below a path, epoch ms; 0 when there is nothing. */
async function newestMs(path: string): Promise<number> {
  try {
    const about = await stat(path);
    if (!about.isDirectory()) return about.mtimeMs;
    const below = await Promise.all((await readdir(path)).map((name) => newestMs(join(path, name))));
    return Math.max(0, ...below);
  } catch (error) {
    if (isMissing(error)) return 0;
    throw error;
  }
}
