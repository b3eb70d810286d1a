import { copyFile, cp, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exec } from '../../../platform/exec.ts';
import { makeTinyRoot } from './tiny-root.ts';

const ATTACK = fileURLToPath(new URL('attack.pl', import.meta.url));

/** A tiny root with Perl, by which every system call can be made, and with what an attacker tries. */
export async function makeAttackRoot(folder: string): Promise<void> {
  await makeTinyRoot(folder);
  const { stdout: linked } = await exec(['ldd', '/usr/bin/perl']);
  for (const path of ['/usr/bin/perl', ...[...linked.matchAll(/(\/\S+) \(0x/g)].map(([, library = '']) => library)]) {
    await mkdir(join(folder, dirname(path)), { recursive: true });
    await copyFile(path, join(folder, path));
  }
  const { stdout: modules } = await exec(['perl', '-e', 'print grep m{/perl-base$}, @INC']);
  await cp(modules, join(folder, modules), { recursive: true });
  await copyFile(ATTACK, join(folder, 'attack.pl'));
}
