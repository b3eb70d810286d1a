import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { formatBytes } from '../../contract/units.ts';
import type { Clock } from '../../platform/clock.ts';
import { temporaryDirectory } from '../../platform/files.ts';
import { type ApiClient, PATIENCE_MS, POLL_MS } from '../api/api-client.ts';
import { type App, Package, ResourceList } from '../api/resources.ts';
import { UnreachableError } from '../api/transport.ts';
import { ClientError, isApiError } from '../client-error.ts';
import type { Terminal } from '../terminal.ts';
import type { AppFile } from './app-files.ts';
import { hashFiles, writeZip } from './package-zip.ts';

type Resource = {
  readonly checksum: { readonly value: string };
  readonly size_in_bytes: number;
  readonly path: string;
  readonly mode: string;
};
export type Bits = { readonly files: readonly AppFile[] } | { readonly archive: string; readonly bytes: number };
export type Uploader = {
  readonly api: ApiClient;
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly signal: AbortSignal;
};

const repeatable = { isRepeatable: true };
const MATCHES_PER_CALL = 5000;
const LONGEST_REST_MS = 5000;
const PROCESSING_MS = 600_000;

/** Uploads an app's code, only what the server has not got; gives the package's guid once it is ready. */
export async function uploadBits(uploader: Uploader, app: App, bits: Bits): Promise<string> {
  await using folder = await temporaryDirectory('stackato-push');
  const { terminal } = uploader;
  if ('archive' in bits) {
    terminal.say(`Uploading ${formatBytes(bits.bytes)}`);
    return await send(uploader, app, { resources: [], zip: bits.archive, bytes: bits.bytes });
  }
  const known = await matchResources(uploader, bits.files);
  try {
    return await packAndSend(uploader, app, { files: bits.files, known, folder: folder.path });
  } catch (error) {
    // Between the question and the upload the server may have removed files that nobody used for long.
    if (!isApiError(error, { status: 422 }) || known.size === 0) throw error;
    terminal.note(`${error.message.split(';')[0]}: uploading everything`);
    return await packAndSend(uploader, app, { files: bits.files, known: new Map(), folder: folder.path });
  }
}

type Pack = {
  readonly files: readonly AppFile[];
  readonly known: ReadonlyMap<string, Resource>;
  readonly folder: string;
};

async function packAndSend(uploader: Uploader, app: App, { files, known, folder }: Pack): Promise<string> {
  const { terminal, signal } = uploader;
  const rest = files.filter(({ path }) => !known.has(path));
  const zip = rest.length > 0 ? join(folder, 'package.zip') : undefined;
  const bytes = zip === undefined ? 0 : await writeZip(zip, rest, signal);
  const total = files.filter(({ kind }) => kind !== 'folder').length;
  const hasAll = rest.length === 0 ? 'nothing to upload' : `uploading ${formatBytes(bytes)}`;
  terminal.say(`${count(total, 'file')}, ${known.size} of them on the server already: ${hasAll}`);
  // Awaited here, because the caller's folder goes when it returns.
  return await send(uploader, app, { resources: [...known.values()], zip, bytes });
}

/** The files whose content the server has, by path. */
async function matchResources(uploader: Uploader, all: readonly AppFile[]): Promise<Map<string, Resource>> {
  const files = all.filter((file) => file.kind === 'file').filter(({ bytes }) => bytes > 0);
  const sums = await hashFiles(files, (done) =>
    uploader.terminal.progress(`Looking at files: ${done} of ${files.length}`),
  );
  const resources = files.map((file, index) => ({
    checksum: { value: sums[index] ?? '' },
    size_in_bytes: file.bytes,
    path: file.path,
    mode: (file.mode & 0o777).toString(8).padStart(4, '0'),
  }));
  const known = new Map<string, Resource>();
  for (let at = 0; at < resources.length; at += MATCHES_PER_CALL) {
    const batch = resources.slice(at, at + MATCHES_PER_CALL);
    const answer = await uploader.api.post(ResourceList, '/v3/resource_matches', { resources: batch }, repeatable);
    const matched = new Set(answer.resources.map((one) => `${one.checksum.value} ${one.size_in_bytes}`));
    for (const one of batch) if (matched.has(`${one.checksum.value} ${one.size_in_bytes}`)) known.set(one.path, one);
  }
  return known;
}

type Upload = { readonly resources: readonly Resource[]; readonly zip: string | undefined; readonly bytes: number };

async function send(uploader: Uploader, app: App, upload: Upload): Promise<string> {
  const { api, terminal, clock, signal } = uploader;
  const giveUpAtMs = clock.nowMs() + PATIENCE_MS;
  for (let attempt = 1; ; attempt++) {
    const relationships = { app: { data: { guid: app.guid } } };
    const { guid } = await api.post(Package, '/v3/packages', { type: 'bits', relationships }, repeatable);
    try {
      await api.sendRaw(uploadRequest(`${api.target}/v3/packages/${guid}/upload`, upload, terminal));
      return await ready(uploader, guid);
    } catch (error) {
      if (!(error instanceof UnreachableError) || clock.nowMs() > giveUpAtMs) throw error;
      terminal.note(`The upload broke off (${error.message}); trying again`);
      await clock.sleep(Math.min(1000 * attempt, LONGEST_REST_MS), signal);
    }
  }
}

function uploadRequest(url: string, upload: Upload, terminal: Terminal) {
  const boundary = `stackato-${crypto.randomUUID()}`;
  const part = (headers: string) => `--${boundary}\r\ncontent-disposition: form-data; ${headers}\r\n\r\n`;
  const before = Buffer.from(`${part('name="resources"')}${JSON.stringify(upload.resources)}\r\n`);
  const opening = Buffer.from(part('name="bits"; filename="package.zip"\r\ncontent-type: application/zip'));
  const closing = Buffer.from(`--${boundary}--\r\n`);
  const extra = upload.zip === undefined ? 0 : opening.length + upload.bytes + 2;
  async function* body() {
    yield before;
    if (upload.zip !== undefined) {
      yield opening;
      let sent = 0;
      for await (const chunk of createReadStream(upload.zip, { highWaterMark: 262_144 })) {
        sent += chunk.length;
        terminal.progress(`Uploading: ${formatBytes(sent)} of ${formatBytes(upload.bytes)}`);
        yield chunk;
      }
      yield Buffer.from('\r\n');
    }
    yield closing;
  }
  return {
    method: 'POST',
    url,
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': String(before.length + extra + closing.length),
    },
    body: Readable.from(body()),
    idleMs: 600_000,
  };
}

async function ready(uploader: Uploader, guid: string): Promise<string> {
  const { api, clock, signal, terminal } = uploader;
  const giveUpAtMs = clock.nowMs() + PROCESSING_MS;
  for (;;) {
    const { state, data } = await api.get(Package, `/v3/packages/${guid}`);
    if (state === 'READY') return guid;
    if (state === 'FAILED' || state === 'EXPIRED') {
      throw new ClientError(`The server refused the upload: ${data?.error ?? `package is ${state.toLowerCase()}`}`);
    }
    if (clock.nowMs() > giveUpAtMs)
      throw new ClientError('The server takes longer than 10 minutes to unpack the upload');
    terminal.progress('The server is unpacking the upload');
    await clock.sleep(POLL_MS, signal);
  }
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
