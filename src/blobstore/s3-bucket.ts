import { readFile } from 'node:fs/promises';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';
import type { ClusterConfig } from '../contract/config.ts';
import type { Log } from '../platform/log.ts';
import { BlobStoreError } from './blobstore.ts';

export type S3Settings = {
  readonly s3: ClusterConfig['blobs']['s3'];
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly log: Log;
  /** Bytes of a part of a large blob; at least 5 MB for servers other than the tests'. */
  readonly partBytes?: number;
  /** Attempts of one request. */
  readonly attempts?: number;
};

/** One bucket, and how it is spoken to. */
export type S3Bucket = { readonly client: S3Client; readonly bucket: string; readonly timeoutMs: number };

/** @throws BlobStoreError when a setting is missing or the CA's file can't be read */
export async function openBucket(settings: S3Settings): Promise<S3Bucket> {
  const { s3, accessKeyId, secretAccessKey } = settings;
  if (s3.bucket === '') throw new BlobStoreError('no bucket is set; `kato config set blobs.s3.bucket NAME`');
  if (accessKeyId === '' || secretAccessKey === '') {
    throw new BlobStoreError(
      'the keys of the S3 server are not set; `kato config set blobs.s3.accessKeyId -` and `kato config set blobs.s3.secretAccessKey -`',
    );
  }
  const ca = s3.caFile === '' ? undefined : await readAuthority(s3.caFile);
  const client = new S3Client({
    region: s3.region,
    ...(s3.endpoint === '' ? {} : { endpoint: s3.endpoint }),
    forcePathStyle: s3.pathStyle,
    credentials: { accessKeyId, secretAccessKey },
    maxAttempts: settings.attempts ?? 4,
    // Newer checksums, which servers other than Amazon's may not know, add nothing to the signed SHA-256.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: 5000,
      requestTimeout: s3.timeoutMs,
      throwOnRequestTimeout: true,
      socketTimeout: s3.timeoutMs,
      ...(ca === undefined ? {} : { httpsAgent: new HttpsAgent({ ca, keepAlive: true, maxSockets: 50 }) }),
    },
  });
  return { client, bucket: s3.bucket, timeoutMs: s3.timeoutMs };
}

async function readAuthority(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new BlobStoreError(`${path} can't be read; blobs.s3.caFile must name a PEM file on every controller`, {
      cause: error,
    });
  }
}
