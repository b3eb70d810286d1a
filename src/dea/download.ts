import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { Clock } from '../platform/clock.ts';

/** A droplet that can't be had: why, without the URL, which carries credentials. */
export class DownloadError extends Error {
  override name = 'DownloadError';
}

export type Digest = { readonly algorithm: 'sha256' | 'sha1'; readonly hex: string };

export type Download = {
  readonly url: string;
  readonly path: string;
  readonly digest: Digest;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
};

const ATTEMPTS = 4;
const TIMEOUT_MS = 600_000;

/**
 * Downloads to a file and checks its digest; tries again on a lost connection, a server error or a wrong digest.
 *
 * @throws DownloadError after the last attempt, or at once when the server says that it is not there
 */
export async function download(request: Download): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await downloadOnce(request);
    } catch (error) {
      request.signal?.throwIfAborted();
      const isFinal = error instanceof DownloadError && error.message.includes('HTTP 4');
      if (isFinal || attempt === ATTEMPTS) throw asDownloadError(error);
    }
    await request.clock.sleep(100 * 2 ** attempt, request.signal);
  }
}

async function downloadOnce({ url, path, digest, signal }: Download): Promise<void> {
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  const { target, headers } = withoutCredentials(url);
  const response = await fetch(target, { headers, signal: signal ? AbortSignal.any([signal, deadline]) : deadline });
  if (!response.ok || !response.body) {
    await response.body?.cancel();
    throw new DownloadError(`the droplet can't be downloaded: the server answered HTTP ${response.status}`);
  }
  const hash = createHash(digest.algorithm);
  const hashing = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      done(null, chunk);
    },
  });
  await pipeline(Readable.fromWeb(response.body as ReadableStream), hashing, createWriteStream(path, { mode: 0o600 }));
  const got = hash.digest('hex');
  if (got !== digest.hex) {
    throw new DownloadError(`the droplet is damaged: its ${digest.algorithm} is ${got}, ${digest.hex} was expected`);
  }
}

/** `fetch` refuses user:password in a URL; peers of the field send it. */
function withoutCredentials(url: string): { target: URL; headers: Record<string, string> } {
  const target = new URL(url);
  if (target.username === '') return { target, headers: {} };
  const pair = `${decodeURIComponent(target.username)}:${decodeURIComponent(target.password)}`;
  target.username = '';
  target.password = '';
  return { target, headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } };
}

function asDownloadError(error: unknown): DownloadError {
  if (error instanceof DownloadError) return error;
  const { cause, message } = error as Error;
  const why = cause instanceof Error ? cause.message : message;
  return new DownloadError(`the droplet can't be downloaded: ${why}`, { cause: error });
}
