import { chmod, copyFile, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * Copies what runs inside staging containers, so that a stager keeps the scripts that belong to its own code when the
 * files it came from are replaced. Links are followed; everything becomes readable for all, whatever the source's modes.
 */
export async function copyTools(from: string, to: string): Promise<void> {
  await rm(to, { recursive: true, force: true });
  await copyFolder(from, to);
}

async function copyFolder(from: string, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  await chmod(to, 0o755);
  for (const name of await readdir(from)) {
    const [source, target] = [join(from, name), join(to, name)];
    const stats = await stat(source);
    if (stats.isDirectory()) {
      await copyFolder(source, target);
    } else if (stats.isFile()) {
      await copyFile(source, target);
      await chmod(target, stats.mode & 0o111 ? 0o755 : 0o644);
    }
  }
}
