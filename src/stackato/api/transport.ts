import { lookup as systemLookup } from 'node:dns';
import { readFileSync } from 'node:fs';
import { Agent as HttpAgent, request as httpRequest, type IncomingHttpHeaders, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { getCACertificates } from 'node:tls';
import { isMissing } from '../../platform/files.ts';
import { ClientError } from '../client-error.ts';

export type HttpRequest = {
  readonly method?: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A stream is sent with the content length in `headers`. */
  readonly body?: string | Buffer | Readable;
  /** Silence on the connection that ends it, ms; default 60 s. */
  readonly idleMs?: number;
  readonly signal?: AbortSignal | undefined;
};
export type HttpReply = { readonly status: number; readonly headers: IncomingHttpHeaders; readonly text: string };
export type HttpStream = {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: IncomingMessage;
};

export type TransportOptions = {
  readonly skipSslValidation: boolean;
  /** PEM files trusted besides the system's. Missing and unreadable ones are passed over when `isOptional`. */
  readonly caFiles: readonly { readonly path: string; readonly isOptional: boolean }[];
};

const CONNECT_MS = 6000;

/** HTTP to the platform: resolves `*.localhost` by itself and trusts the cluster's own CA. */
export class Transport implements Disposable {
  readonly #http: HttpAgent;
  readonly #options: TransportOptions;
  #https: HttpsAgent | undefined;

  constructor(options: TransportOptions) {
    this.#options = options;
    this.#http = new HttpAgent({ keepAlive: true, lookup });
  }

  /** @throws ClientError when there is no answer */
  async send(request: HttpRequest): Promise<HttpReply> {
    const { status, headers, body } = await this.open(request);
    try {
      return { status, headers, text: await text(body) };
    } catch (error) {
      throw this.#explain(error, request);
    }
  }

  /** Sends and hands over the answer's body as it comes. */
  open(request: HttpRequest): Promise<HttpStream> {
    const { method = 'GET', url, headers = {}, body, idleMs = 60_000, signal } = request;
    const { promise, resolve, reject } = Promise.withResolvers<HttpStream>();
    const isTls = url.startsWith('https:');
    const outgoing = (isTls ? httpsRequest : httpRequest)(url, {
      method,
      headers,
      agent: isTls ? this.#secureAgent() : this.#http,
      ...(signal === undefined ? {} : { signal }),
    });
    outgoing.setTimeout(idleMs, () => outgoing.destroy(new Error(`no answer for ${Math.round(idleMs / 1000)} s`)));
    outgoing.on('socket', (socket) => {
      if (!socket.connecting) return;
      const timer = setTimeout(() => outgoing.destroy(new Error('no connection within 6 s')), CONNECT_MS);
      const clear = () => clearTimeout(timer);
      socket.once(isTls ? 'secureConnect' : 'connect', clear).once('close', clear);
    });
    outgoing.on('response', (response) =>
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: response }),
    );
    outgoing.on('error', (error) => reject(this.#explain(error, request)));
    if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) outgoing.end(body);
    else {
      // A server that answers early (too large, not allowed) closes its side; its answer counts, not the broken pipe.
      pipeline(body, outgoing).catch((error) => reject(this.#explain(error, request)));
    }
    return promise;
  }

  [Symbol.dispose](): void {
    this.#http.destroy();
    this.#https?.destroy();
  }

  #secureAgent(): HttpsAgent {
    this.#https ??= new HttpsAgent({
      keepAlive: true,
      lookup,
      rejectUnauthorized: !this.#options.skipSslValidation,
      ...(this.#options.skipSslValidation ? {} : { ca: this.#authorities() }),
    });
    return this.#https;
  }

  #authorities(): string[] {
    const own = this.#options.caFiles.flatMap(({ path, isOptional }) => {
      try {
        return [readFileSync(path, 'utf8')];
      } catch (error) {
        if (isOptional && (isMissing(error) || (error as NodeJS.ErrnoException).code === 'EACCES')) return [];
        throw new ClientError(`The CA file ${path} can't be read: ${(error as Error).message}`, { cause: error });
      }
    });
    return [...new Set([...own, ...getCACertificates('default'), ...getCACertificates('system')])];
  }

  #explain(error: unknown, request: HttpRequest): unknown {
    if (error instanceof ClientError || request.signal?.aborted) return error;
    const { origin, hostname } = new URL(request.url);
    const { code = '', message } = error as NodeJS.ErrnoException;
    if (/CERT|SELF_SIGNED|UNABLE_TO|ALTNAME/.test(code)) {
      return new UnreachableError(`The certificate of ${origin} is not trusted: ${message}`, {
        cause: error,
        next: 'Name the CA that signed it with --ca FILE, or go without the check: --skip-ssl-validation',
      });
    }
    // The body of an upload comes from a file; its faults are not the connection's.
    if ('path' in (error as object)) return new ClientError(`A file can't be read: ${message}`, { cause: error });
    const reasons: Readonly<Record<string, string>> = {
      ECONNREFUSED: 'connection refused',
      ENOTFOUND: `the name ${hostname} is not known`,
      EAI_AGAIN: `the name ${hostname} can't be looked up now`,
      ECONNRESET: 'the connection was closed',
      EPROTO: 'what listens there does not speak TLS',
    };
    const next = hostname.endsWith('.localhost')
      ? 'Is the platform running on this machine? See `kato status`; choose another target with `stackato target URL`'
      : 'Check the address with `stackato target`, choose another with `stackato target URL`';
    return new UnreachableError(`${origin} can't be reached: ${reasons[code] ?? message}`, { cause: error, next });
  }
}

/** No answer came at all; asking again later may help. */
export class UnreachableError extends ClientError {
  override name = 'UnreachableError';
  /** Is it certain that the request was not carried out? Then it may be repeated, whatever it does. */
  readonly isUnheard: boolean;
  constructor(message: string, options: ConstructorParameters<typeof ClientError>[1] & { isUnheard?: boolean } = {}) {
    super(message, options);
    this.isUnheard = options.isUnheard ?? code(options.cause) === 'ECONNREFUSED';
  }
}

function code(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** `*.localhost` is this machine, whatever its resolver thinks. */
const lookup: LookupFunction = (hostname, options, callback) => {
  if (hostname !== 'localhost' && !hostname.endsWith('.localhost')) {
    systemLookup(hostname, options, callback);
    return;
  }
  if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
};
