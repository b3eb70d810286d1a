import type { Boot } from '../platform/config.ts';
import { type BlobStore, BlobStoreError } from './blobstore.ts';
import { diskBlobStore } from './disk.ts';

type Place = Pick<Boot, 'config' | 'credentials' | 'paths' | 'log'>;

/**
 * The blob store that the configuration names. While it can't be used each use fails and says why, so that the rest of the
 * API goes on, and the next one tries anew.
 *
 * @param claim looks whether a folder that is shared is the cluster's, before each use: a mount may be lost at any time;
 *   default: it is
 */
export async function openBlobStore(
  place: Place,
  claim: (folder: string) => Promise<void> = async () => {},
): Promise<BlobStore> {
  const { kind, folder } = place.config.blobs;
  let opened: BlobStore | undefined;
  const store = async () => {
    if (kind === 'folder' && folder !== '') await claim(folder);
    opened ??= await open(place);
    return opened;
  };
  try {
    await store();
  } catch (error) {
    if (!(error instanceof BlobStoreError)) throw error;
    place.log.error('failed-to-open-blob-store', { error });
  }
  return {
    put: async (key, content) => (await store()).put(key, content),
    stat: async (key) => (await store()).stat(key),
    get: async (key, range) => (await store()).get(key, range),
    delete: async (key) => (await store()).delete(key),
    check: async () => (await store()).check(),
    list: async function* (prefix) {
      yield* (await store()).list(prefix);
    },
  };
}

async function open({ config, credentials, paths, log }: Place): Promise<BlobStore> {
  if (config.blobs.kind === 'folder') return diskBlobStore(config.blobs.folder || paths.blobs);
  // Loaded only where it is used: it takes some 25 MB of memory.
  const { s3BlobStore } = await import('./s3.ts');
  const { accessKeyId = '', secretAccessKey = '' } = credentials.s3 ?? {};
  return s3BlobStore({ s3: config.blobs.s3, accessKeyId, secretAccessKey, log });
}
