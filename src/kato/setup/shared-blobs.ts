import { join } from 'node:path';
import { BlobStoreError } from '../../blobstore/blobstore.ts';
import { claimSharedFolder, sharedFolderMark } from '../../blobstore/shared-folder.ts';
import { canRead, canWrite, getUser } from '../../platform/system-user.ts';
import { findOpenCode } from '../code.ts';
import { Refusal } from '../refusal.ts';
import { findTopology } from '../topology-file.ts';
import type { Step } from './step.ts';

/** A controller beside the Core's needs the same blobs. */
export const checkSharedBlobs: Step = {
  title: 'Blobs of the controllers',
  run: async (context) => {
    const { file, config, paths } = await context.node();
    const { kind, folder } = config.blobs;
    if (kind !== 'folder' || file.roles.includes('primary')) return 'already';
    const cluster = (await findTopology(paths))?.core ?? '';
    try {
      await claimSharedFolder({ folder, cluster });
    } catch (error) {
      if (!(error instanceof BlobStoreError)) throw error;
      throw new Refusal(error.message, `mount the controllers' shared file system at ${folder} on this node`, {
        cause: error,
      });
    }
    if ((await findOpenCode(paths)) === undefined) return 'already';
    const stackato = await getUser('stackato');
    const isOurs =
      (await canRead(stackato, join(folder, sharedFolderMark))) &&
      (await canWrite(stackato, join(folder, '.incoming')));
    if (isOurs) return 'already';
    throw new Refusal(
      `the account stackato (uid ${stackato.uid} on this machine) may not use the files in ${folder}`,
      'give the account the same uid on every controller (usermod -u, groupmod -g), or have the file server map them to one',
    );
  },
};
