import { mkdir, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

type Mount = { readonly destination: string; readonly type: string; readonly source: string };

/**
 * Makes the places for mounts in a folder that is to be a container's first root. Containers can't do so themselves: the
 * folder belongs to none of them.
 */
export async function makePlaces(root: string, mounts: readonly Mount[]): Promise<void> {
  const isInside = ({ destination }: Mount) => mounts.some((other) => destination.startsWith(`${other.destination}/`));
  await Promise.all(
    mounts
      .filter((mount) => !isInside(mount))
      .map(async ({ destination, type, source }) => {
        const place = join(root, destination);
        const isFile = type === 'bind' && !(await stat(source)).isDirectory();
        await mkdir(isFile ? dirname(place) : place, { recursive: true, mode: 0o755 });
        if (isFile) await writeFile(place, '', { flag: 'a' });
      }),
  );
}
