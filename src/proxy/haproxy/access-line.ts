import type { AccessRecord } from '../proxy.ts';
import { appOf } from './slot.ts';

/**
 * Fields by tabs: short ones first, those a client chooses last, so that a cut line loses the least. HAProxy's own
 * fields cost a fraction of what expressions do.
 *
 * @param hasTrusted are there callers whose X-Forwarded-For is believed?
 */
export function accessLogFormat(hasTrusted: boolean): string {
  const believed = hasTrusted ? '%[var(txn.xff),json(utf8s)]' : '-';
  // The beginning is when the connection fell idle, and the time from then on until the request was read.
  const times = ['%Ts%ms', '%Tq', '%ST', '%U', '%B', '%Ta', '%TR', '%Tw'];
  // Host, user agent and referer come last, as captured: `{a|b|c}`.
  const texts = ['%s', '%sp', '%ci:%cp', '%ft', '%ID', '%[var(txn.route)]', believed, '%r', '%hr'];
  return ['%lc', ...times, ...texts].join('\\t');
}

/** A line of the access log: its number in HAProxy's own count, and what it says. */
export type AccessLine = { readonly sequence: number; readonly record: LoggedRequest };

/** What HAProxy knows of a request; of its endpoint no more than name and port, 0 when none was reached. */
export type LoggedRequest = Omit<AccessRecord, 'backend' | 'instanceIndex'> & { readonly backendPort: number };

/** @returns undefined for a line in another format (HAProxy's own about connections that never became a request) */
export function parseAccessLine(line: string): AccessLine | undefined {
  const f = line.split('\t');
  if (f.length < 17) return undefined;
  const at = (i: number) => f[i] ?? '';
  const since = (i: number) => Math.max(0, Number(at(i)));
  const client = at(11);
  const clientAddress = client.slice(0, client.lastIndexOf(':'));
  const believed = unquote(at(15));
  const [host = '', userAgent = '', referer = ''] = capturesOf(at(17));
  const { app, routerError } = routeOf(at(14));
  const { method, uri, protocol } = requestOf(at(16));
  return {
    sequence: Number(at(0)),
    record: {
      host: hostOf(host),
      atMs: Number(at(1)) + Math.max(0, since(2) - since(7)),
      method,
      uri,
      protocol,
      status: since(3),
      requestBytes: Number(at(4)),
      responseBytes: Number(at(5)),
      referer,
      userAgent,
      client,
      forwardedFor: believed ? `${believed}, ${clientAddress}` : clientAddress,
      forwardedProto: at(12).endsWith('~') ? 'https' : 'http',
      requestId: orEmpty(at(13)),
      backendPort: since(10),
      totalMs: since(6),
      routerMs: since(7) + since(8),
      app,
      instance: at(9).startsWith('<') ? '' : at(9),
      routerError,
    },
  };
}

/** `backend|app|path`, nothing for a request without a route, and `|error` behind it when the router refused it. */
function routeOf(text: string): { app: string; routerError: string } {
  const parts = text.split('|');
  const hasRoute = parts.length > 2;
  return { app: hasRoute ? appOf(parts[1] ?? '') : '', routerError: parts[hasRoute ? 3 : 1] ?? '' };
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
