import type { AccessRecord } from '../proxy.ts';

/** Fields by tabs: short ones first, those a client chooses last, so that a cut line loses the least. */
export const accessLogFormat = [
  '%lc',
  '%[date(0,us)]',
  '%ST',
  '%U',
  '%B',
  '%Ta',
  '%TR',
  '%Tw',
  '%s',
  '%si:%sp',
  '%ci:%cp',
  '%ft',
  '%ID',
  '%[var(txn.route)]',
  '%[var(txn.rerr)]',
  '%[var(txn.xff),json(utf8s)]',
  '%r',
  // Host, user agent and referer, as captured: `{a|b|c}`.
  '%hr',
].join('\\t');

/** A line of the access log: its number in HAProxy's own count, and what it says. */
export type AccessLine = { readonly sequence: number; readonly record: AccessRecord };

/** @returns undefined for a line in another format (HAProxy's own about connections that never became a request) */
export function parseAccessLine(line: string): AccessLine | undefined {
  const f = line.split('\t');
  if (f.length < 16) return undefined;
  const at = (i: number) => f[i] ?? '';
  const totalMs = Math.max(0, Number(at(5)));
  const client = at(10);
  const clientAddress = client.slice(0, client.lastIndexOf(':'));
  const believed = unquote(at(15));
  const [host = '', userAgent = '', referer = ''] = capturesOf(at(17));
  return {
    sequence: Number(at(0)),
    record: {
      host: hostOf(host),
      atMs: Number(at(1)) / 1000 - totalMs,
      ...requestOf(at(16)),
      status: Math.max(0, Number(at(2))),
      requestBytes: Number(at(3)),
      responseBytes: Number(at(4)),
      referer,
      userAgent,
      client,
      backend: at(9).startsWith('-') || at(9).startsWith('<') ? '' : at(9),
      forwardedFor: believed ? `${believed}, ${clientAddress}` : clientAddress,
      forwardedProto: at(11).endsWith('~') ? 'https' : 'http',
      requestId: orEmpty(at(12)),
      totalMs,
      routerMs: Math.max(0, Number(at(6))) + Math.max(0, Number(at(7))),
      app: at(13).split('|')[1] ?? '',
      instance: at(8).startsWith('<') ? '' : at(8),
      instanceIndex: '',
      routerError: orEmpty(at(14)),
    },
  };
}

/** `GET /path HTTP/1.1`; HTTP/2 clients and forward proxies send the whole URL, of which the path is kept. */
function requestOf(line: string): { method: string; uri: string; protocol: string } {
  const [first, last] = [line.indexOf(' '), line.lastIndexOf(' ')];
  if (first < 0) return { method: '', uri: '', protocol: '' };
  // A line cut at HAProxy's limit has no protocol.
  const isWhole = last > first && line.startsWith('HTTP/', last + 1);
  const uri = unescaped(isWhole ? line.slice(first + 1, last) : line.slice(first + 1));
  const path = uri.startsWith('/') ? uri : uri.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?]*/i, '') || '/';
  return { method: line.slice(0, first), uri: path, protocol: isWhole ? line.slice(last + 1) : '' };
}

function capturesOf(text: string): string[] {
  const inner = text.endsWith('}') ? text.slice(1, -1) : text.slice(1);
  return inner.split('|').map(unescaped);
}

function hostOf(header: string): string {
  const colon = header.indexOf(':');
  return (colon < 0 ? header : header.slice(0, colon)).toLowerCase();
}

/** HAProxy writes bytes that could end a field, and those outside of ASCII, as `#` and two hex digits. */
function unescaped(text: string): string {
  if (!text.includes('#')) return text;
  const bytes = text.replace(/#([0-9A-F]{2})/g, (_all, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function unquote(text: string): string {
  if (text === '-') return '';
  if (!text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`);
  } catch (error) {
    // A line cut inside an escape.
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

const orEmpty = (text: string) => (text === '-' ? '' : text);
