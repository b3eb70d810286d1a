import { Readable } from 'node:stream';
import type { BlobStore } from '../../blobstore/blobstore.ts';
import type { ArchivedBlob } from '../../contract/data-archive.ts';
import { handOver } from '../hand-over.ts';
import type { Node } from '../node.ts';
import { readArchive } from './archive-reader.ts';

const STATS_AT_ONCE = 8;

/** What is read a second time, for its blobs. */
export type BlobSource = {
  readonly file: string;
  readonly passphrase: string;
  readonly wanted: readonly ArchivedBlob[];
  readonly progress: (doneBytes: number, ofBytes: number) => void;
  readonly signal: AbortSignal;
};

/** Blobs are stored under their own names beside what is there; those of an earlier attempt are not stored again. */
export async function storeBlobs({ config, paths }: Node, blobs: BlobStore, source: BlobSource): Promise<void> {
  const wanted = new Set(source.wanted.map(({ key }) => key));
  try {
    await readArchive(source.file, source.passphrase, {
      ...{ signal: source.signal, progress: source.progress },
      blob: async ({ key, sha256 }, content) => {
        const isNeeded = wanted.has(key) && (await blobs.stat(key))?.sha256 !== sha256;
        if (isNeeded) await blobs.put(key, Readable.from(content, { objectMode: false }));
        else for await (const _ of content);
      },
    });
  } finally {
    if (config.blobs.kind === 'folder') await handOver([config.blobs.folder || paths.blobs]);
  }
}

/** Those of these blobs that the store does not have. */
export async function listMissing(
  blobs: BlobStore,
  keys: readonly string[],
  known: ReadonlySet<string>,
): Promise<string[]> {
  const missing: string[] = [];
  const queue = keys.filter((key) => !known.has(key));
  const work = async () => {
    for (let key = queue.shift(); key !== undefined; key = queue.shift()) {
      if ((await blobs.stat(key)) === undefined) missing.push(key);
    }
  };
  await Promise.all(Array.from({ length: STATS_AT_ONCE }, work));
  return missing;
}
