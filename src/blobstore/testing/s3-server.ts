import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type S3Keys, signatureFault } from './s3-signature.ts';

type Stored = { readonly content: Buffer; readonly etag: string; readonly metadata: Readonly<Record<string, string>> };
type Upload = { readonly key: string; readonly initiated: string; readonly parts: Map<number, Stored> };
/** One request, by its operation: PutObject, GetObject, HeadObject, ListObjectsV2, UploadPart, … */
export type S3Request = { readonly operation: string; readonly key: string; readonly request: IncomingMessage };
/** What a test has the server do wrong: an error, no answer at all, or one that ends or stops after so many bytes. */
export type S3Misdeed =
  | { readonly status: number; readonly code: string }
  | { readonly cutAfter: number }
  | { readonly stallAfter: number }
  | 'silence'
  | undefined;

/**
 * A small S3 server of one bucket, for tests: path style, signatures and content hashes checked, listing in pages,
 * ranges, conditions and uploads in parts, as the public API reference says.
 */
export class S3Server implements AsyncDisposable {
  readonly keys: S3Keys = { accessKeyId: 'test-key', secretAccessKey: 'test-secret', region: 'eu-test-1' };
  readonly bucket = 'blobs';
  readonly objects = new Map<string, Stored>();
  readonly uploads = new Map<string, Upload>();
  readonly requests: S3Request[] = [];
  /** How far the server's clock is from the true one. */
  skewMs = 0;
  pageSize = 2;
  misbehave: (request: S3Request) => S3Misdeed = () => undefined;
  readonly #server;
  readonly #scheme: string;

  private constructor(tls?: { cert: string; key: string }) {
    const answer = (request: IncomingMessage, response: ServerResponse) => void this.#answer(request, response);
    this.#server = tls ? createTlsServer(tls, answer) : createServer(answer);
    this.#scheme = tls ? 'https' : 'http';
  }

  static async start(tls?: { cert: string; key: string }): Promise<S3Server> {
    const made = new S3Server(tls);
    await new Promise<void>((resolve) => made.#server.listen(0, '127.0.0.1', resolve));
    return made;
  }

  get endpoint(): string {
    return `${this.#scheme}://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const body = await buffer(request).catch(() => undefined);
    if (body === undefined) return;
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://s3');
    const [bucket = '', ...rest] = pathname.slice(1).split('/').map(decodeURIComponent);
    const key = rest.join('/');
    const seen = { operation: operationOf(request.method ?? '', key, query), key, request };
    this.requests.push(seen);
    const misdeed = this.misbehave(seen);
    if (misdeed === 'silence') return;
    if (misdeed && 'code' in misdeed) return fail(response, misdeed.status, misdeed.code);
    const nowMs = Date.now() + this.skewMs;
    const fault = signatureFault(request, body, { ...this.keys, nowMs });
    response.setHeader('date', new Date(nowMs).toUTCString());
    if (fault) return fail(response, fault === 'AuthorizationHeaderMalformed' ? 400 : 403, fault);
    if (bucket !== this.bucket) return fail(response, 404, 'NoSuchBucket');
    if (misdeed) return this.#cut(seen, response, misdeed);
    return this.#serve(seen, { body, query, response });
  }

  #serve(
    { operation, key, request }: S3Request,
    { body, query, response }: { body: Buffer; query: URLSearchParams; response: ServerResponse },
  ): unknown {
    const uploadId = query.get('uploadId') ?? '';
    const upload = this.uploads.get(uploadId);
    if (operation === 'ListObjectsV2') return send(response, this.#list(query));
    if (operation === 'ListMultipartUploads') return send(response, this.#listUploads());
    if (operation === 'PutObject') {
      this.objects.set(key, stored(body, metadataOf(request)));
      return response.setHeader('etag', this.objects.get(key)?.etag ?? '').end();
    }
    if (operation === 'DeleteObject') {
      this.objects.delete(key);
      return response.writeHead(204).end();
    }
    if (operation === 'CreateMultipartUpload') {
      const id = randomUUID();
      this.uploads.set(id, { key, initiated: new Date().toISOString(), parts: new Map() });
      return send(response, xml('InitiateMultipartUploadResult', `<UploadId>${id}</UploadId>`));
    }
    if (operation.endsWith('Object')) return this.#read(key, request, response);
    if (upload?.key !== key) return fail(response, 404, 'NoSuchUpload');
    if (operation === 'UploadPart') {
      const part = stored(body, {});
      upload.parts.set(Number(query.get('partNumber')), part);
      return response.setHeader('etag', part.etag).end();
    }
    this.uploads.delete(uploadId);
    if (operation === 'AbortMultipartUpload') return response.writeHead(204).end();
    return this.#complete(upload, String(body), response);
  }

  #complete(upload: Upload, body: string, response: ServerResponse): unknown {
    const wanted = [...body.matchAll(/<Part>.*?<\/Part>/gs)].map(([part]) => ({
      number: Number(/<PartNumber>(\d+)</.exec(part)?.[1]),
      etag: /<ETag>(.*?)</.exec(part)?.[1]?.replaceAll('&quot;', '"'),
    }));
    const parts = wanted.map(({ number, etag }) => {
      const part = upload.parts.get(number);
      return part?.etag === etag ? part : undefined;
    });
    if (parts.length === 0 || parts.includes(undefined)) return fail(response, 400, 'InvalidPart');
    const whole = stored(Buffer.concat(parts.map((part) => part?.content ?? Buffer.alloc(0))), {});
    const etag = `${whole.etag.slice(0, -1)}-${parts.length}"`;
    this.objects.set(upload.key, { ...whole, etag });
    return send(response, xml('CompleteMultipartUploadResult', `<ETag>${etag.replaceAll('"', '&quot;')}</ETag>`));
  }

  #read(key: string, request: IncomingMessage, response: ServerResponse): unknown {
    const found = this.objects.get(key);
    if (!found) return fail(response, 404, 'NoSuchKey', request.method === 'HEAD');
    if (request.headers['if-match'] !== undefined && request.headers['if-match'] !== found.etag) {
      return fail(response, 412, 'PreconditionFailed');
    }
    const [, from = '0', to = ''] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const last = to === '' ? found.content.length - 1 : Math.min(Number(to), found.content.length - 1);
    if (request.headers.range && Number(from) > last) return fail(response, 416, 'InvalidRange');
    const content = found.content.subarray(Number(from), last + 1);
    response.setHeader('etag', found.etag).setHeader('content-length', content.length);
    for (const [name, value] of Object.entries(found.metadata)) response.setHeader(name, value);
    return response.writeHead(request.headers.range ? 206 : 200).end(request.method === 'HEAD' ? undefined : content);
  }

  #cut(
    { key, request }: S3Request,
    response: ServerResponse,
    where: { cutAfter: number } | { stallAfter: number },
  ): void {
    const found = this.objects.get(key);
    const [, from = '0'] = /^bytes=(\d+)-/.exec(request.headers.range ?? '') ?? [];
    const content = found?.content.subarray(Number(from)) ?? Buffer.alloc(0);
    response.writeHead(from === '0' ? 200 : 206, { 'content-length': content.length, etag: found?.etag ?? '' });
    if ('stallAfter' in where) response.write(content.subarray(0, where.stallAfter));
    else response.write(content.subarray(0, where.cutAfter), () => setImmediate(() => response.destroy()));
  }

  #list(query: URLSearchParams): string {
    const prefix = query.get('prefix') ?? '';
    const after = query.get('continuation-token') ?? '';
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const page = keys.slice(0, Number(query.get('max-keys') ?? this.pageSize));
    const isMore = page.length < keys.length;
    const items = page.map((key) => `<Contents><Key>${key}</Key></Contents>`).join('');
    const next = isMore ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
    return xml('ListBucketResult', `<IsTruncated>${isMore}</IsTruncated>${next}${items}`);
  }

  #listUploads(): string {
    const items = [...this.uploads].map(
      ([id, { key, initiated }]) =>
        `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${initiated}</Initiated></Upload>`,
    );
    return xml('ListMultipartUploadsResult', `<IsTruncated>false</IsTruncated>${items.join('')}`);
  }
}

function operationOf(method: string, key: string, query: URLSearchParams): string {
  if (key === '') return query.has('uploads') ? 'ListMultipartUploads' : 'ListObjectsV2';
  if (method === 'POST') return query.has('uploads') ? 'CreateMultipartUpload' : 'CompleteMultipartUpload';
  if (query.has('uploadId')) return method === 'PUT' ? 'UploadPart' : 'AbortMultipartUpload';
  return `${method.charAt(0)}${method.slice(1).toLowerCase()}Object`;
}

function stored(content: Buffer, metadata: Readonly<Record<string, string>>): Stored {
  return { content, etag: `"${createHash('md5').update(content).digest('hex')}"`, metadata };
}

function metadataOf({ headers }: IncomingMessage): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (name.startsWith('x-amz-meta-') ? [[name, String(value)]] : [])),
  );
}

const xml = (name: string, inner: string) => `<?xml version="1.0"?><${name}>${inner}</${name}>`;

function send(response: ServerResponse, text: string): ServerResponse {
  return response.writeHead(200, { 'content-type': 'application/xml' }).end(text);
}

function fail(response: ServerResponse, status: number, code: string, isHead = false): ServerResponse {
  const text = xml('Error', `<Code>${code}</Code><Message>${code}</Message>`);
  return response.writeHead(status, { 'content-type': 'application/xml' }).end(isHead ? undefined : text);
}
