import { Readable } from 'node:stream';
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3';
import type { Static } from 'typebox';
import { decode } from '../contract/decode.ts';
import { type BlobInfo, type BlobStore, checkBlobKey } from './blobstore.ts';
import { Description } from './description.ts';
import { openBucket, type S3Bucket, type S3Settings } from './s3-bucket.ts';
import { explainFault, isNothing } from './s3-fault.ts';
import { readObject } from './s3-read.ts';
import { abandonOldUploads, sumsOf, uploadObject } from './s3-upload.ts';

const SUMS = '.sums/';
const PART_BYTES = 8 * 1024 * 1024;

/**
 * Blobs in a bucket of any S3 server. Content travels with its SHA-256 in the signature; the checksums of a blob that
 * came in several parts are in an object beside it, and are computed again when that is lost.
 *
 * @throws BlobStoreError when a setting is missing or the CA's file can't be read
 */
export async function s3BlobStore(settings: S3Settings): Promise<BlobStore> {
  const { s3, log, partBytes = PART_BYTES } = settings;
  const bucket = await openBucket(settings);
  const explained = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw explainFault(error, s3);
    }
  };

  const store: BlobStore = {
    put: (key, content) =>
      explained(async () => {
        checkBlobKey(key);
        const uploaded = await uploadObject(bucket, { key, content, partBytes });
        const { etag, ...sums } = uploaded;
        if (etag !== undefined) await putSums(bucket, key, { ...sums, identity: etag });
        return { key, ...sums };
      }),
    stat: (key) => explained(() => statObject(bucket, checkBlobKey(key))),
    get: (key, range) =>
      explained(async () => {
        const content = await readObject(bucket, checkBlobKey(key), range ?? { start: 0 });
        return content && Readable.from(withFaults(content, s3), { objectMode: false });
      }),
    delete: (key) =>
      explained(async () => {
        checkBlobKey(key);
        await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.bucket, Key: key }));
        await bucket.client.send(new DeleteObjectCommand({ Bucket: bucket.bucket, Key: `${SUMS}${key}` }));
      }),
    list: (prefix) => withFaults(listKeys(bucket, prefix), s3),
    check: () =>
      explained(async () => {
        await bucket.client.send(new ListObjectsV2Command({ Bucket: bucket.bucket, MaxKeys: 1 }));
      }),
  };
  // What a killed controller left unfinished costs space, and is in nobody's way.
  void abandonOldUploads(bucket).catch((error: unknown) =>
    log.warn('failed-to-clean-uploads', { error: explainFault(error, s3) }),
  );
  return store;
}

async function statObject({ client, bucket, ...rest }: S3Bucket, key: string): Promise<BlobInfo | undefined> {
  try {
    const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }));
    const { sha256, sha1 } = head.Metadata ?? {};
    const bytes = head.ContentLength ?? 0;
    if (sha256 !== undefined && sha1 !== undefined) return { key, bytes, sha256, sha1 };
    const at = { client, bucket, ...rest };
    const said = await readSums(at, key);
    if (said && said.identity === head.ETag) return { key, bytes: said.bytes, sha256: said.sha256, sha1: said.sha1 };
    return await computeSums(at, key);
  } catch (error) {
    if (isNothing(error)) return undefined;
    throw error;
  }
}

async function computeSums(bucket: S3Bucket, key: string): Promise<BlobInfo | undefined> {
  const content = await readObject(bucket, key, { start: 0 });
  if (!content) return undefined;
  const sums = await sumsOf(content);
  await putSums(bucket, key, { ...sums, identity: content.etag });
  return { key, ...sums };
}

async function putSums({ client, bucket }: S3Bucket, key: string, sums: Static<typeof Description>): Promise<void> {
  await client.send(new PutObjectCommand({ Bucket: bucket, Key: `${SUMS}${key}`, Body: JSON.stringify(sums) }));
}

async function readSums({ client, bucket }: S3Bucket, key: string): Promise<Static<typeof Description> | undefined> {
  try {
    const found = await client.send(new GetObjectCommand({ Bucket: bucket, Key: `${SUMS}${key}` }));
    return decode(Description, JSON.parse((await found.Body?.transformToString()) ?? ''), `${SUMS}${key}`);
  } catch (error) {
    if (isNothing(error)) return undefined;
    throw error;
  }
}

async function* listKeys({ client, bucket }: S3Bucket, prefix: string): AsyncIterable<string> {
  let after: string | undefined;
  do {
    const page = await client.send(
      new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ...(after ? { ContinuationToken: after } : {}) }),
    );
    for (const { Key } of page.Contents ?? []) if (Key !== undefined && !Key.startsWith(SUMS)) yield Key;
    after = page.IsTruncated ? page.NextContinuationToken : undefined;
  } while (after !== undefined);
}

async function* withFaults<T>(items: AsyncIterable<T>, place: S3Settings['s3']): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    throw explainFault(error, place);
  }
}
