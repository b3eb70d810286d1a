import { join } from 'node:path';
import { readTextIfExists, writeFileAtomic } from '../platform/files.ts';
import { BlobStoreError } from './blobstore.ts';

/** File in a shared folder that says whose blobs it holds. */
export const sharedFolderMark = '.cluster';

export type SharedFolder = {
  /** Where the operator mounts the file system. */
  readonly folder: string;
  /** Id of the cluster: that of its Core node. */
  readonly cluster: string;
  /** File in which the node that may mark the folder, the Core, remembers which one it marked; none on other nodes. */
  readonly memory?: string;
};

/**
 * Makes sure that a shared folder is the cluster's own, and not the empty place where it should be mounted. The Core marks
 * a folder that it sees for the first time; from then on the mark must be there.
 *
 * @throws BlobStoreError saying what is wrong and what to do
 */
export async function claimSharedFolder({ folder, cluster, memory }: SharedFolder): Promise<void> {
  const path = join(folder, sharedFolderMark);
  const mark = await readMark(path, folder);
  if (mark !== undefined && mark !== cluster) {
    throw new BlobStoreError(
      `${folder} holds the blobs of another cluster (${mark.slice(0, 8)}); set blobs.folder to a folder of this one, or remove ${path} if they are its own`,
    );
  }
  if (memory === undefined) {
    if (mark === undefined) throw missing(folder);
    return;
  }
  if (mark === undefined) {
    if ((await readTextIfExists(memory))?.trim() === folder) throw missing(folder);
    await writeMark(path, { folder, cluster });
  }
  if ((await readTextIfExists(memory))?.trim() !== folder) await writeFileAtomic(memory, `${folder}\n`, 0o600);
}

async function readMark(path: string, folder: string): Promise<string | undefined> {
  try {
    return (await readTextIfExists(path))?.trim();
  } catch (cause) {
    throw unusable(folder, cause);
  }
}

async function writeMark(path: string, { folder, cluster }: SharedFolder): Promise<void> {
  try {
    await writeFileAtomic(path, `${cluster}\n`, 0o600);
  } catch (cause) {
    throw unusable(folder, cause);
  }
}

function missing(folder: string): BlobStoreError {
  return new BlobStoreError(
    `${folder} is not the cluster's shared folder: it has no ${sharedFolderMark}; mount it there`,
  );
}

function unusable(folder: string, cause: unknown): BlobStoreError {
  const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  return new BlobStoreError(
    `the shared folder ${folder} can't be used (${why}); is it mounted, and does it belong to the account stackato?`,
    {
      cause,
    },
  );
}
