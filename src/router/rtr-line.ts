import type { AccessRecord } from '../proxy/proxy.ts';

/** An access record as the line an app's developer sees, in the format of the field's routers. */
export function formatRtrLine(r: AccessRecord): string {
  const request = `"${escaped(r.method)} ${escaped(r.uri)} ${escaped(r.protocol)}"`;
  const sizes = `${r.status === 0 ? '"-"' : r.status} ${r.requestBytes} ${r.responseBytes}`;
  const peers = `${quoted(r.referer)} ${quoted(r.userAgent)} ${quoted(r.client)} ${quoted(r.backend)}`;
  const forwarded = `x_forwarded_for:${quoted(r.forwardedFor)} x_forwarded_proto:${quoted(r.forwardedProto)}`;
  const times = `response_time:${seconds(r.totalMs)} gorouter_time:${seconds(r.routerMs)}`;
  const app = `app_id:${quoted(r.app)} app_index:${quoted(r.instanceIndex)} instance_id:${quoted(r.instance)}`;
  return (
    `${escaped(r.host) || '"-"'} - [${timestamp(r.atMs)}] ${request} ${sizes} ${peers} ${forwarded} ` +
    `vcap_request_id:${quoted(r.requestId)} ${times} ${app} x_cf_routererror:${quoted(r.routerError)}`
  );
}

/** Epoch ms with a fraction as epoch ns in decimal. */
export function nanoseconds(ms: number): string {
  return `${Math.round(ms * 1000)}000`;
}

let lastSecond = { s: -1, text: '' };

function timestamp(atMs: number): string {
  const micros = Math.round(atMs * 1000);
  const s = Math.floor(micros / 1_000_000);
  // Most lines are of the same second as the one before.
  if (s !== lastSecond.s) lastSecond = { s, text: new Date(s * 1000).toISOString().slice(0, 19) };
  return `${lastSecond.text}.${String(micros - s * 1_000_000).padStart(6, '0')}000Z`;
}

const seconds = (ms: number) => (ms / 1000).toFixed(6);
const quoted = (text: string) => `"${escaped(text) || '-'}"`;

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what must not reach a log
const UNSAFE = /["\\\u0000-\u001f\u007f]/;

/** A client must not be able to end a field or a line. */
function escaped(text: string): string {
  return UNSAFE.test(text) ? JSON.stringify(text).slice(1, -1).replaceAll('\u007f', '\\u007f') : text;
}
