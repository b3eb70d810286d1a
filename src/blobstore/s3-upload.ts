import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListMultipartUploadsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { BlobInfo } from './blobstore.ts';
import type { S3Bucket } from './s3-bucket.ts';

export type Sums = Omit<BlobInfo, 'key'>;

/** Longer than any upload takes; a younger one may be another controller's. */
const LEFTOVER_MS = 24 * 3_600_000;

/**
 * Uploads a stream: at once when it fits one part, else part by part, never holding more than two in memory. Nothing is
 * left of a stream that fails.
 *
 * @returns its checksums; the etag only of one in parts, whose checksums the object itself does not carry
 */
export async function uploadObject(
  { client, bucket: Bucket }: S3Bucket,
  upload: { key: string; content: Readable; partBytes: number },
): Promise<Sums & { etag?: string }> {
  const { key: Key, content, partBytes } = upload;
  const hashes = new Hashes();
  const parts = splitStream(content, partBytes, hashes);
  const head = await parts.next();
  const first = head.done ? Buffer.alloc(0) : head.value;
  const second = first.length < partBytes ? undefined : await parts.next();
  if (second === undefined || second.done) {
    const sums = hashes.sums();
    const Metadata = { sha256: sums.sha256, sha1: sums.sha1 };
    await client.send(new PutObjectCommand({ Bucket, Key, Body: first, Metadata }));
    return sums;
  }
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  try {
    const sent: CompletedPart[] = [];
    for (let part: Buffer | undefined = first, next: IteratorResult<Buffer> = second; part !== undefined; ) {
      const PartNumber = sent.length + 1;
      const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber, Body: part }));
      sent.push({ PartNumber, ETag });
      part = next.done ? undefined : next.value;
      if (!next.done) next = await parts.next();
    }
    const done = await client.send(
      new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: sent } }),
    );
    return { ...hashes.sums(), etag: done.ETag ?? '' };
  } catch (error) {
    await abandon({ client, bucket: Bucket }, { Key, UploadId, because: error });
    throw error;
  }
}

/** The checksums of a stream. */
export async function sumsOf(content: AsyncIterable<Uint8Array>): Promise<Sums> {
  const hashes = new Hashes();
  for await (const chunk of content) hashes.add(chunk);
  return hashes.sums();
}

/** Gives up uploads in parts that were begun long ago and never ended. */
export async function abandonOldUploads({ client, bucket: Bucket }: Omit<S3Bucket, 'timeoutMs'>): Promise<void> {
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
  for (const { Key, UploadId, Initiated } of Uploads) {
    if (Initiated === undefined || Date.now() - Initiated.getTime() < LEFTOVER_MS) continue;
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
  }
}

/** The upload's own error is what counts; an upload that could not be given up is cleaned away later. */
async function abandon(
  { client, bucket: Bucket }: Omit<S3Bucket, 'timeoutMs'>,
  upload: { Key: string; UploadId: string | undefined; because: unknown },
): Promise<void> {
  try {
    await client.send(new AbortMultipartUploadCommand({ Bucket, Key: upload.Key, UploadId: upload.UploadId }));
  } catch (error) {
    throw new AggregateError([upload.because, error], messageOf(upload.because), { cause: upload.because });
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

class Hashes {
  readonly #sha256 = createHash('sha256');
  readonly #sha1 = createHash('sha1');
  #bytes = 0;

  add(chunk: Uint8Array): void {
    this.#sha256.update(chunk);
    this.#sha1.update(chunk);
    this.#bytes += chunk.length;
  }

  sums(): Sums {
    return { bytes: this.#bytes, sha256: this.#sha256.digest('hex'), sha1: this.#sha1.digest('hex') };
  }
}

/** A stream as buffers of the same size, the last one smaller. */
async function* splitStream(content: Readable, bytes: number, hashes: Hashes): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let held = 0;
  for await (const chunk of content as AsyncIterable<Buffer>) {
    hashes.add(chunk);
    waiting.push(chunk);
    held += chunk.length;
    if (held < bytes) continue;
    const whole = Buffer.concat(waiting);
    let at = 0;
    for (; whole.length - at >= bytes; at += bytes) yield whole.subarray(at, at + bytes);
    waiting = [whole.subarray(at)];
    held = whole.length - at;
  }
  if (held > 0) yield Buffer.concat(waiting);
}
