import type { AccessRecord } from '../proxy.ts';

const json = (name: string) => `%[var(txn.${name}),json(utf8s)]`;

/** Fields by tabs: short ones first, those a client chooses last, so that a cut line loses the least. */
export const accessLogFormat = [
  '%lc',
  '%[date(0,us)]',
  '%ST',
  '%HM',
  '%HV',
  '%U',
  '%B',
  '%Ta',
  '%TR',
  '%Tw',
  '%s',
  '%si:%sp',
  '%ci:%cp',
  '%[ssl_fc,iif(https,http)]',
  '%ID',
  '%[var(txn.app)]',
  '%[var(txn.rerr)]',
  json('host'),
  json('xff'),
  json('url'),
  json('ua'),
  json('ref'),
].join('\\t');

/** A line of the access log: its number in HAProxy's own count, and what it says. */
export type AccessLine = { readonly sequence: number; readonly record: AccessRecord };

/** @returns undefined for a line in another format (HAProxy's own about connections that never became a request) */
export function parseAccessLine(line: string): AccessLine | undefined {
  const f = line.split('\t');
  if (f.length < 18) return undefined;
  const at = (i: number) => f[i] ?? '';
  const totalMs = Math.max(0, Number(at(7)));
  const client = at(12);
  const clientAddress = client.slice(0, client.lastIndexOf(':'));
  const believed = unquote(at(18));
  return {
    sequence: Number(at(0)),
    record: {
      host: unquote(at(17)),
      atMs: Number(at(1)) / 1000 - totalMs,
      method: at(3),
      uri: unquote(at(19)),
      protocol: at(4),
      status: Math.max(0, Number(at(2))),
      requestBytes: Number(at(5)),
      responseBytes: Number(at(6)),
      referer: unquote(at(21)),
      userAgent: unquote(at(20)),
      client,
      backend: at(11).startsWith('-') || at(11).startsWith('<') ? '' : at(11),
      forwardedFor: believed ? `${believed}, ${clientAddress}` : clientAddress,
      forwardedProto: orEmpty(at(13)),
      requestId: orEmpty(at(14)),
      totalMs,
      routerMs: Math.max(0, Number(at(8))) + Math.max(0, Number(at(9))),
      app: orEmpty(at(15)),
      instance: at(10).startsWith('<') ? '' : at(10),
      instanceIndex: '',
      routerError: orEmpty(at(16)),
    },
  };
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
