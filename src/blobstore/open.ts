import type { Boot } from '../platform/config.ts';
import { type BlobStore, BlobStoreError } from './blobstore.ts';
import { diskBlobStore } from './disk.ts';

/**
 * The blob store that the configuration names. One that can't be opened fails each use and says why, so that the rest of
 * the API goes on.
 *
 * @param claim looks whether a folder that is shared is the cluster's; default: it is
 */
export async function openBlobStore(
  boot: Pick<Boot, 'config' | 'credentials' | 'paths' | 'log'>,
  claim: (folder: string) => Promise<void> = async () => {},
): Promise<BlobStore> {
  const { config, credentials, paths, log } = boot;
  try {
    if (config.blobs.kind === 'folder' && config.blobs.folder !== '') await claim(config.blobs.folder);
    if (config.blobs.kind === 'folder') return await diskBlobStore(config.blobs.folder || paths.blobs);
    // Loaded only where it is used: it takes some 25 MB of memory.
    const { s3BlobStore } = await import('./s3.ts');
    const { accessKeyId = '', secretAccessKey = '' } = credentials.s3 ?? {};
    return await s3BlobStore({ s3: config.blobs.s3, accessKeyId, secretAccessKey, log });
  } catch (error) {
    if (!(error instanceof BlobStoreError)) throw error;
    log.error('failed-to-open-blob-store', { error });
    return failingStore(error);
  }
}

function failingStore(error: BlobStoreError): BlobStore {
  const fail = async () => {
    throw error;
  };
  return {
    ...{ put: fail, stat: fail, get: fail, delete: fail, check: fail },
    // biome-ignore lint/correctness/useYield: it fails before the first key
    list: async function* () {
      throw error;
    },
  };
}
