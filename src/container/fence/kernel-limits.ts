import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * What the kernel counts for root besides the container's own user, since root made its user namespace. Debian's 128
 * inotify instances would be those of all containers and their monitors together.
 */
const AT_LEAST: Readonly<Record<string, number>> = {
  'fs/inotify/max_user_instances': 1_048_576,
  'fs/inotify/max_user_watches': 134_217_728,
};

/** What each user of a container may have of it, so that no container takes another one's: as much as a user of a usual machine. */
export const userLimits = { max_inotify_instances: 128, max_inotify_watches: 65_536 } as const;

/** Raises the machine's limits that all containers share; never lowers one. */
export async function raiseKernelLimits(folder = '/proc/sys'): Promise<void> {
  for (const [name, least] of Object.entries(AT_LEAST)) {
    const path = join(folder, name);
    if (Number(await readFile(path, 'utf8')) < least) await writeFile(path, String(least));
  }
}
