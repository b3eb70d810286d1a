import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from '../platform/exec.ts';
import { readTextIfExists } from '../platform/files.ts';
import { writeOwnedFile } from '../platform/owned-files.ts';
import { type Paths, sourceRoot } from '../platform/paths.ts';
import { findUser } from '../platform/system-user.ts';
import type { Program } from '../supervisor/supervisor.ts';
import { isOwnProgram } from './programs.ts';

/** Half a minute of one processor, which a busy machine may take long to give. */
const TIMEOUT_MS = 900_000;

/**
 * Compiles what these programs will load, unless that was done for this very source. A process that finds no compiled
 * code loads the compiler of types too, and keeps some 15 MB for good.
 */
export async function compileAhead(paths: Paths, programs: readonly Program[]): Promise<void> {
  const ours = programs.filter(isOwnProgram);
  const stamp = join(paths.run, 'compiled', 'source');
  const source = await sourceDigest(ours);
  if ((await readTextIfExists(stamp)) === source) return;
  const accounts = [...new Set(ours.map(({ user }) => user))];
  await Promise.all(
    accounts.map((account) =>
      compileAs(
        account,
        ours.filter(({ user }) => user === account),
      ),
    ),
  );
  await writeOwnedFile(stamp, source, { owner: { uid: 0, gid: 0 }, mode: 0o644 });
}

/** The flags must be those of the run: code compiled under others is not used. */
async function compileAs(account: string | undefined, programs: readonly Program[]): Promise<void> {
  const [first] = programs;
  if (first === undefined) return;
  const processes = programs.flatMap(({ command }) => command.at(-1)?.split('+') ?? []);
  const user = account === undefined ? undefined : await findUser(account);
  await exec([...first.command.slice(0, -1), 'compile', ...processes], {
    cwd: '/',
    env: first.environment,
    timeoutMs: TIMEOUT_MS,
    ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
  });
}

/** Changes when a source file, the packages, Node, its flags or who runs it do. */
async function sourceDigest(programs: readonly Program[]): Promise<string> {
  const folder = join(sourceRoot, 'src');
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.ts')).sort();
  const files = [...names.map((name) => join(folder, name)), join(sourceRoot, 'package-lock.json'), process.execPath];
  const hash = createHash('sha256').update(JSON.stringify(programs.map(({ command, user }) => [command, user ?? ''])));
  for (const [index, { size, mtimeMs }] of (await Promise.all(files.map((file) => stat(file)))).entries()) {
    hash.update(`${files[index]} ${size} ${mtimeMs}\n`);
  }
  return `${hash.digest('hex')}\n`;
}
