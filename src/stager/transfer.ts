import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { chmod } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { PlatformError } from '../contract/errors.ts';
import type { Clock } from '../platform/clock.ts';
import { openForeign } from './foreign-file.ts';

export type TransferOptions = {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** What is moved, for messages: "app package". */
  readonly what: string;
};

export type UploadOutcome = { readonly bytes: number; readonly sha1: string; readonly sha256: string };

const ATTEMPTS = 4;
const FIRST_DELAY_MS = 250;

/** An answer that another attempt would not change. */
class Refused extends Error {
  readonly status: number;
  constructor(status: number, text: string) {
    super(`the server answered ${status}${text ? `: ${text}` : ''}`);
    this.status = status;
  }
}

/**
 * Fetches a URL into a file.
 *
 * @returns the SHA-256 of it, or undefined when the server has none (404)
 * @throws PlatformError 'StagingError' after the last attempt
 */
export function download(
  url: string,
  file: string,
  options: TransferOptions & { maxBytes: number },
): Promise<string | undefined> {
  return attempts(options, async () => {
    const response = await fetch(url, { signal: options.signal });
    if (response.status === 404) {
      await response.body?.cancel();
      return undefined;
    }
    if (!response.ok || !response.body) throw refusal(response.status, (await response.text()).slice(0, 500));
    const sha256 = createHash('sha256');
    const meter = measuring(options.maxBytes, options.what, (chunk) => sha256.update(chunk));
    await pipeline(Readable.fromWeb(response.body as never), meter, createWriteStream(file), {
      signal: options.signal,
    });
    // Read from inside a container too, whatever this process' umask is.
    await chmod(file, 0o644);
    return sha256.digest('hex');
  });
}

/** Sends `prefix` and then a file that a container wrote, so a link is not followed; measures what it sends. */
export async function upload(
  url: string,
  content: { prefix: Buffer; file: string },
  options: TransferOptions,
): Promise<UploadOutcome> {
  await using file = await openForeign(content.file);
  const { size } = await file.stat();
  return await attempts(options, async () => {
    const bytes = content.prefix.length + size;
    const hashes = { sha1: createHash('sha1'), sha256: createHash('sha256') };
    const meter = measuring(bytes, options.what, (chunk) => {
      hashes.sha1.update(chunk);
      hashes.sha256.update(chunk);
    });
    const { request, answered } = openPut(url, bytes, options.signal);
    const body = joined(content.prefix, file.createReadStream({ autoClose: false, start: 0 }));
    await Promise.all([pipeline(body, meter, request), answered]);
    return { bytes, sha1: hashes.sha1.digest('hex'), sha256: hashes.sha256.digest('hex') };
  });
}

function openPut(url: string, bytes: number, signal: AbortSignal) {
  const { promise: answered, resolve, reject } = Promise.withResolvers<void>();
  const send = url.startsWith('https:') ? httpsRequest : httpRequest;
  const headers = { 'content-type': 'application/gzip', 'content-length': bytes };
  const request = send(url, { method: 'PUT', headers, signal });
  request.on('error', reject);
  request.on('response', (response) => readAnswer(response).then(resolve, reject));
  return { request, answered };
}

async function attempts<T>(options: TransferOptions, attempt: () => Promise<T>): Promise<T> {
  for (let n = 1; ; n++) {
    try {
      return await attempt();
    } catch (error) {
      options.signal.throwIfAborted();
      if (error instanceof PlatformError) throw error;
      if (n === ATTEMPTS || error instanceof Refused) {
        throw new PlatformError('StagingError', `the ${options.what} could not be transferred: ${reason(error)}`, {
          cause: error,
        });
      }
      await options.clock.sleep(FIRST_DELAY_MS * 2 ** n, options.signal);
    }
  }
}

function measuring(maxBytes: number, what: string, onChunk: (chunk: Buffer) => void): Transform {
  let bytes = 0;
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      onChunk(chunk);
      if (bytes > maxBytes) done(new PlatformError('StagingError', `the ${what} is larger than ${maxBytes} bytes`));
      else done(null, chunk);
    },
  });
}

async function* joined(prefix: Buffer, rest: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  if (prefix.length > 0) yield prefix;
  yield* rest;
}

async function readAnswer(response: IncomingMessage): Promise<void> {
  let text = '';
  for await (const chunk of response) if (text.length < 500) text += String(chunk);
  const status = response.statusCode ?? 0;
  if (status < 200 || status > 299) throw refusal(status, text.slice(0, 500));
}

/** @param body what the server said: an error document of the API, or any text */
function refusal(status: number, body: string): Error {
  const text = /"detail":\s*"((?:[^"\\]|\\.)*)/.exec(body)?.[1] ?? body;
  const isPassing = status >= 500 || status === 429 || status === 408;
  return isPassing ? new Error(`the server answered ${status}: ${text}`) : new Refused(status, text);
}

/** URLs carry credentials and stay out of messages. */
function reason(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message} (${cause.message || (cause as NodeJS.ErrnoException).code})` : message;
}
