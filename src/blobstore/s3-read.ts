import { GetObjectCommand } from '@aws-sdk/client-s3';
import type { S3Bucket } from './s3-bucket.ts';
import { isNothing, isReplaced } from './s3-fault.ts';

/** An object's content as it comes, and which version of the object it is. */
export type ObjectContent = AsyncIterable<Uint8Array> & { readonly etag: string };

type Opened = { readonly body: AsyncIterable<Uint8Array>; readonly etag: string; readonly bytes: number };

/** Attempts without a byte of progress before a download fails. */
const ATTEMPTS = 4;
const RETRY_MS = 200;

/** Content of an object, or undefined when there is none. A download that breaks off goes on where it was. */
export async function readObject(
  bucket: S3Bucket,
  key: string,
  range: { readonly start: number; readonly end?: number },
): Promise<ObjectContent | undefined> {
  const last = range.end === undefined ? '' : String(range.end);
  const isWhole = range.start === 0 && last === '';
  let first: Opened;
  try {
    first = await open(bucket, key, isWhole ? {} : { range: `bytes=${range.start}-${last}` });
  } catch (error) {
    if (isNothing(error)) return undefined;
    throw error;
  }
  const { etag } = first;
  const again = (offset: number) => open(bucket, key, { range: `bytes=${range.start + offset}-${last}`, etag });
  return { etag, [Symbol.asyncIterator]: () => resuming(first, again) };
}

async function open(
  { client, bucket, timeoutMs }: S3Bucket,
  key: string,
  want: { range?: string; etag?: string },
): Promise<Opened> {
  const stop = new AbortController();
  const found = await client.send(
    new GetObjectCommand({
      ...{ Bucket: bucket, Key: key },
      ...(want.range === undefined ? {} : { Range: want.range }),
      ...(want.etag === undefined ? {} : { IfMatch: want.etag }),
    }),
    { abortSignal: stop.signal },
  );
  const body = found.Body as unknown as AsyncIterable<Uint8Array>;
  return { body: unstalled(body, timeoutMs, stop), etag: found.ETag ?? '', bytes: found.ContentLength ?? 0 };
}

async function* resuming(first: Opened, again: (offset: number) => Promise<Opened>): AsyncGenerator<Uint8Array> {
  const { bytes } = first;
  let body: AsyncIterable<Uint8Array> | undefined = first.body;
  let offset = 0;
  for (let failures = 0; offset < bytes || body === first.body; ) {
    try {
      body ??= (await again(offset)).body;
      for await (const chunk of body) {
        offset += chunk.length;
        failures = 0;
        yield chunk;
      }
      if (offset >= bytes) return;
      throw Object.assign(new Error(`the answer ended after ${offset} of ${bytes} bytes`), { code: 'ECONNRESET' });
    } catch (error) {
      failures += 1;
      if (failures >= ATTEMPTS || isNothing(error) || isReplaced(error)) throw error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS * failures));
      body = undefined;
    }
  }
}

/** Ends a body that says nothing for too long. */
async function* unstalled(
  body: AsyncIterable<Uint8Array>,
  timeoutMs: number,
  stop: AbortController,
): AsyncGenerator<Uint8Array> {
  const late = () => {
    const error = Object.assign(new Error(`no byte for ${timeoutMs} ms`), { code: 'ETIMEDOUT' });
    (body as AsyncIterable<Uint8Array> & { destroy?: (error: Error) => void }).destroy?.(error);
    stop.abort(error);
  };
  const iterator = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const timer = setTimeout(late, timeoutMs);
      const next = await iterator.next().finally(() => clearTimeout(timer));
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await iterator.return?.();
  }
}
