import { request } from 'node:http';

/** What XML-RPC carries. */
export type RpcValue = string | number | boolean | readonly RpcValue[] | { readonly [key: string]: RpcValue };

/** The server understood the call and refused it; `code` is the server's own. */
export class RpcFault extends Error {
  override name = 'RpcFault';
  readonly code: number;
  constructor(method: string, code: number, text: string) {
    super(`${method}: ${text} (${code})`);
    this.code = code;
  }
}

/** Whatever answers there is not ours: it refused the password. */
export class RpcDenied extends Error {
  override name = 'RpcDenied';
  readonly port: number;
  constructor(port: number) {
    super(`what listens on port ${port} is not this node's supervisord: it refused the password`);
    this.port = port;
  }
}

export type RpcEndpoint = { readonly port: number; readonly user: string; readonly password: string };

/**
 * Calls one method of an XML-RPC server on loopback.
 *
 * @throws RpcFault when the server refuses; RpcDenied when it refuses the password; Error with the cause when it can't be reached or answers something else
 */
export async function callRpc(
  endpoint: RpcEndpoint,
  method: string,
  params: readonly RpcValue[] = [],
  timeoutMs = 10_000,
): Promise<RpcValue> {
  const answer = await post(endpoint, encodeCall(method, params), timeoutMs).catch((cause: unknown) => {
    if (!(cause instanceof Error && cause.name === 'AbortError')) throw cause;
    const seconds = timeoutMs / 1000;
    throw new Error(`${method}: the server on port ${endpoint.port} did not answer within ${seconds} s`, { cause });
  });
  if (answer.status === 401) throw new RpcDenied(endpoint.port);
  if (answer.status !== 200) throw new Error(`${method}: the server answered ${answer.status}`);
  return decodeResponse(method, answer.body);
}

/** A call as XML-RPC writes it. */
export function encodeCall(method: string, params: readonly RpcValue[]): string {
  const list = params.map((value) => `<param>${encodeValue(value)}</param>`).join('');
  return `<?xml version="1.0"?><methodCall><methodName>${escapeXml(method)}</methodName><params>${list}</params></methodCall>`;
}

/**
 * The value in a response.
 *
 * @throws RpcFault for a fault, Error for what is not XML-RPC
 */
export function decodeResponse(method: string, xml: string): RpcValue {
  const reader = new Reader(xml);
  reader.open('methodResponse');
  if (reader.peek() === '<fault>') {
    reader.open('fault');
    const fault = reader.value();
    const { faultCode = 0, faultString = 'fault' } = isStruct(fault) ? fault : {};
    throw new RpcFault(method, Number(faultCode), String(faultString));
  }
  reader.open('params');
  reader.open('param');
  return reader.value();
}

function isStruct(value: RpcValue): value is { readonly [key: string]: RpcValue } {
  return typeof value === 'object' && !Array.isArray(value);
}

function post(endpoint: RpcEndpoint, body: string, timeoutMs: number): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port: endpoint.port,
        path: '/RPC2',
        method: 'POST',
        auth: `${endpoint.user}:${endpoint.password}`,
        headers: { 'content-type': 'text/xml', 'content-length': Buffer.byteLength(body) },
        agent: false,
        signal: AbortSignal.timeout(timeoutMs),
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        );
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

function encodeValue(value: RpcValue): string {
  return `<value>${encodeInner(value)}</value>`;
}

function encodeInner(value: RpcValue): string {
  if (typeof value === 'string') return `<string>${escapeXml(value)}</string>`;
  if (typeof value === 'boolean') return `<boolean>${value ? 1 : 0}</boolean>`;
  if (typeof value === 'number') {
    return Number.isInteger(value) ? `<int>${value}</int>` : `<double>${value}</double>`;
  }
  if (Array.isArray(value)) return `<array><data>${value.map(encodeValue).join('')}</data></array>`;
  const members = Object.entries(value).map(
    ([name, member]) => `<member><name>${escapeXml(name)}</name>${encodeValue(member)}</member>`,
  );
  return `<struct>${members.join('')}</struct>`;
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

function escapeXml(text: string): string {
  return text.replace(/[&<>]/g, (c) => (c === '&' ? '&amp;' : c === '<' ? '&lt;' : '&gt;'));
}

function unescapeXml(text: string): string {
  return text.replace(/&(#x?[0-9a-f]+|[a-z]+);/gi, (whole, name: string) => {
    if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16));
    if (name.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)));
    return ENTITIES[name] ?? whole;
  });
}

/** Reads the few elements that XML-RPC has, in order. */
class Reader {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(xml: string) {
    this.#tokens = (xml.replace(/<\?[^>]*\?>/g, '').match(/<[^>]+>|[^<]+/g) ?? []).map((token) =>
      token.startsWith('<') ? token.replace(/\s+\/?>$/, (end) => end.trim()) : token,
    );
  }

  peek(): string {
    while (/^\s+$/.test(this.#tokens[this.#at] ?? '')) this.#at += 1;
    return this.#tokens[this.#at] ?? '';
  }

  open(name: string): void {
    const token = this.peek();
    if (token !== `<${name}>`) throw new Error(`not an XML-RPC response: ${token || 'end'} where <${name}> belongs`);
    this.#at += 1;
  }

  value(): RpcValue {
    if (this.peek() === '<value/>') {
      this.#at += 1;
      return '';
    }
    this.open('value');
    const raw = this.#tokens[this.#at] ?? '';
    const value =
      raw === '</value>' ? '' : raw.startsWith('<') || this.peek().startsWith('<') ? this.#typed() : this.#text();
    this.#close('value');
    return value;
  }

  #typed(): RpcValue {
    const type = this.peek();
    if (type === '</value>') return '';
    if (type.endsWith('/>')) {
      this.#at += 1;
      return '';
    }
    const name = type.slice(1, -1);
    this.open(name);
    const value = name === 'array' ? this.#array() : name === 'struct' ? this.#struct() : scalar(name, this.#text());
    this.#close(name);
    return value;
  }

  #array(): RpcValue {
    const items: RpcValue[] = [];
    if (this.peek() === '<data/>') {
      this.#at += 1;
      return items;
    }
    this.open('data');
    while (this.peek().startsWith('<value')) items.push(this.value());
    this.#close('data');
    return items;
  }

  #struct(): RpcValue {
    const members: Record<string, RpcValue> = {};
    while (this.peek() === '<member>') {
      this.open('member');
      this.open('name');
      const name = this.#text();
      this.#close('name');
      members[name] = this.value();
      this.#close('member');
    }
    return members;
  }

  #text(): string {
    const token = this.#tokens[this.#at] ?? '';
    if (token.startsWith('<')) return '';
    this.#at += 1;
    return unescapeXml(token);
  }

  #close(name: string): void {
    const token = this.peek();
    if (token !== `</${name}>`) throw new Error(`not an XML-RPC response: ${token || 'end'} where </${name}> belongs`);
    this.#at += 1;
  }
}

function scalar(type: string, text: string): RpcValue {
  if (type === 'int' || type === 'i4' || type === 'i8' || type === 'double') return Number(text);
  if (type === 'boolean') return text.trim() === '1';
  return text;
}
