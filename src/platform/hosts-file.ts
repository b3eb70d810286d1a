import { writeFile } from 'node:fs/promises';
import { writeFileAtomic } from './files.ts';

/** Replaces a hosts file; in place where it is a mount of its own, as in a Docker container, and can't be renamed over. */
export async function replaceHostsFile(path: string, content: string): Promise<void> {
  try {
    await writeFileAtomic(path, content);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && (error.code === 'EBUSY' || error.code === 'EXDEV'))) throw error;
    await writeFile(path, content);
  }
}
