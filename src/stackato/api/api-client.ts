import type { IncomingHttpHeaders } from 'node:http';
import type { Static, TSchema } from 'typebox';
import { DecodeError, decode } from '../../contract/decode.ts';
import type { Clock } from '../../platform/clock.ts';
import { ApiError, ClientError } from '../client-error.ts';
import { ErrorBody, Job, Page } from './resources.ts';
import { type HttpReply, type HttpRequest, type HttpStream, type Transport, UnreachableError } from './transport.ts';

/** Gives the bearer token, a new one when the last was refused. */
export interface TokenSource {
  token(refused?: string): Promise<string>;
}

export const POLL_MS = 250;
/** How long calls are repeated when the platform does not answer, so that a restart of its parts is survived. */
export const PATIENCE_MS = 60_000;
const JOB_MS = 600_000;

export type ApiOptions = {
  readonly transport: Transport;
  readonly tokens: TokenSource;
  /** API URL without a trailing slash. */
  readonly target: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly warn: (line: string) => void;
};

/** Does a call that is made twice do the same as once? Reads and changes to a given state do. */
export type Repeatable = { readonly isRepeatable: boolean };

/** Speaks the v3 API: tokens, errors, pages, jobs. */
export class ApiClient {
  readonly target: string;
  readonly #options: ApiOptions;

  constructor(options: ApiOptions) {
    this.#options = options;
    this.target = options.target;
  }

  async get<T extends TSchema>(schema: T, path: string): Promise<Static<T>> {
    return this.#decoded(schema, path, await this.#patiently({ url: this.#url(path) }, { isRepeatable: true }));
  }

  /** All elements of a list, page by page; of one that names its page, that page. */
  async list<T extends TSchema>(schema: T, path: string): Promise<Static<T>[]> {
    const found: Static<T>[] = [];
    let next: string | undefined = path;
    while (next !== undefined) {
      const page: Static<typeof Page> = await this.get(Page, next);
      found.push(...page.resources.map((resource) => this.#shaped(schema, resource, path)));
      next = /[?&]page=/.test(path) ? undefined : page.pagination?.next?.href;
    }
    return found;
  }

  /** POST, PATCH or DELETE with a JSON body; answers the body and the job it started, if any. */
  async send(
    method: string,
    path: string,
    body?: unknown,
    options: Repeatable = { isRepeatable: method === 'PATCH' },
  ): Promise<{ body: unknown; job: string | undefined }> {
    const request = { method, url: this.#url(path), headers: { 'content-type': 'application/json' } };
    return this.sendRaw(body === undefined ? request : { ...request, body: JSON.stringify(body) }, options);
  }

  async sendRaw(
    request: HttpRequest,
    options: Repeatable = { isRepeatable: false },
  ): Promise<{ body: unknown; job: string | undefined }> {
    const reply = await this.#patiently(request, options);
    const { location } = reply.headers;
    return { body: parsed(reply.text), job: reply.status === 202 ? location : undefined };
  }

  async post<T extends TSchema>(schema: T, path: string, body?: unknown, options?: Repeatable): Promise<Static<T>> {
    return this.#shaped(schema, (await this.send('POST', path, body, options)).body, path);
  }

  /** Sends, and waits for the job it started. */
  async sendAndWait(method: string, path: string, body?: unknown): Promise<void> {
    const { job } = await this.send(method, path, body);
    if (job !== undefined) await this.waitForJob(job);
  }

  /** @throws ApiError when the job fails */
  async waitForJob(location: string): Promise<void> {
    const { clock, signal, warn } = this.#options;
    const giveUpAtMs = clock.nowMs() + JOB_MS;
    for (;;) {
      const job = await this.get(Job, location);
      if (job.state === 'COMPLETE') {
        for (const { detail } of job.warnings) if (detail) warn(detail);
        return;
      }
      if (job.state === 'FAILED') {
        const details = job.errors.map((error) => error.detail ?? error.title ?? 'no reason given');
        const detail = details.join('\n') || 'The operation failed; the server gave no reason';
        throw new ApiError({ status: 422, code: 0, title: '', detail, requestId: undefined });
      }
      if (clock.nowMs() > giveUpAtMs) throw new ClientError('The operation takes longer than 10 minutes; it goes on');
      await clock.sleep(POLL_MS, signal);
    }
  }

  /** Any call, whatever it answers. */
  async authorized(request: HttpRequest): Promise<HttpReply> {
    const attempt = async (token: string) =>
      this.#options.transport.send({
        ...request,
        signal: request.signal ?? this.#options.signal,
        headers: { ...request.headers, accept: 'application/json', authorization: `bearer ${token}` },
      });
    const token = await this.#options.tokens.token();
    const reply = await attempt(token);
    this.#showWarnings(reply.headers);
    const isRefused = reply.status === 401 && reply.text.includes('CF-InvalidAuthToken');
    return isRefused && isReplayable(request) ? attempt(await this.#options.tokens.token(token)) : reply;
  }

  /** An answer read as it comes; no error handling but the token. */
  async open(request: HttpRequest): Promise<HttpStream> {
    const token = await this.#options.tokens.token();
    return this.#options.transport.open({
      ...request,
      headers: { ...request.headers, authorization: `bearer ${token}` },
    });
  }

  /** Repeats what may be repeated while the platform is away, and says so once. */
  async #patiently(request: HttpRequest, { isRepeatable }: Repeatable): Promise<HttpReply> {
    const { clock, signal, warn } = this.#options;
    const giveUpAtMs = clock.nowMs() + PATIENCE_MS;
    for (let isFirst = true; ; isFirst = false) {
      try {
        return this.#checked(await this.authorized(request));
      } catch (error) {
        const mayRepeat =
          error instanceof UnreachableError && isReplayable(request) && (isRepeatable || error.isUnheard);
        // What has never answered is the wrong address, not a restart.
        if (!mayRepeat || !this.#hasAnswered || clock.nowMs() > giveUpAtMs) throw error;
        if (isFirst) warn(`${error.message}; trying again for ${PATIENCE_MS / 1000} s`);
      }
      await clock.sleep(POLL_MS, request.signal ?? signal);
    }
  }
  #hasAnswered = false;

  #checked(reply: HttpReply): HttpReply {
    // A router that answers in the API's place shows that the address is right.
    this.#hasAnswered = true;
    if (reply.status < 400) return reply;
    throw this.errorOf(reply);
  }

  /** The error that a failed answer stands for. */
  errorOf(reply: HttpReply): ClientError {
    const requestId = textOf(reply.headers['x-vcap-request-id']);
    const [first, ...more] = errorsIn(reply.text);
    if (first && isAway(reply)) {
      return new UnreachableError(first.detail || first.title, { next: 'See `kato status` on the server' });
    }
    if (!first) {
      const what = isAway(reply)
        ? `${this.target} is not in service at the moment (status ${reply.status})`
        : `${this.target} answered status ${reply.status}, which is not the answer of a platform API`;
      const isUnheard = reply.headers['x-cf-routererror'] === 'no_endpoints' || reply.status === 404;
      const options = { next: 'See `kato status` on the server, or check `stackato target`', isUnheard };
      return isAway(reply) ? new UnreachableError(what, options) : new ClientError(what, options);
    }
    const detail = [first, ...more].map((error) => error.detail || error.title).join('\n');
    const next = reply.status === 401 ? 'Log in again: stackato login' : undefined;
    return new ApiError({ status: reply.status, code: first.code, title: first.title, detail, requestId, next });
  }

  #showWarnings(headers: IncomingHttpHeaders): void {
    for (const warning of (textOf(headers['x-cf-warnings']) ?? '').split(',')) {
      if (warning !== '') this.#options.warn(decodeURIComponent(warning.replaceAll('+', ' ')));
    }
  }

  #decoded<T extends TSchema>(schema: T, path: string, reply: HttpReply): Static<T> {
    return this.#shaped(schema, parsed(reply.text), path);
  }

  #shaped<T extends TSchema>(schema: T, value: unknown, path: string): Static<T> {
    try {
      return decode(schema, value, `the answer to ${path.split('?')[0]}`);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw new ClientError(`${this.target} answers in a form this client does not know: ${error.message}`, {
        cause: error,
        next: 'Compare `stackato version` with `stackato info`',
      });
    }
  }

  #url(path: string): string {
    return /^https?:/.test(path) ? path : `${this.target}${path}`;
  }
}

/** The routers answer in the API's place when it is down or starting; the API itself asks for patience without its database. */
function isAway(reply: HttpReply): boolean {
  if (reply.status === 503 && reply.headers['retry-after'] !== undefined) return true;
  return [502, 503, 504].includes(reply.status)
    ? errorsIn(reply.text).length === 0
    : reply.status === 404 && reply.headers['x-cf-routererror'] !== undefined;
}

function isReplayable({ body }: HttpRequest): boolean {
  return body === undefined || typeof body === 'string' || Buffer.isBuffer(body);
}

function errorsIn(text: string): Static<typeof ErrorBody>['errors'] {
  try {
    return decode(ErrorBody, JSON.parse(text), 'error').errors;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof DecodeError) return [];
    throw error;
  }
}

function parsed(text: string): unknown {
  if (text.trim() === '') return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ClientError('The server answered something that is not JSON', { cause: error });
  }
}

function textOf(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header;
}

/** A query string of the fields that have a value; empty text counts. */
export function query(fields: Readonly<Record<string, string | number | undefined>>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) params.set(name, String(value));
  }
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

/** A name as a filter value: commas separate values, so one inside a name is encoded twice. */
export function filterValue(name: string): string {
  return name.replaceAll('%', '%25').replaceAll(',', '%2C');
}
