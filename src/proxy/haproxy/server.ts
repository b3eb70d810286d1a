import { createHash } from 'node:crypto';
import { addressOf } from '../../core/route-table.ts';
import type { Endpoint } from '../proxy.ts';

/** PEM files for connections to endpoints that ask for TLS; `certificate` holds certificate and key of the router. */
export type EndpointTls = { readonly caFile: string; readonly certificate?: string };

/**
 * Without the pool settings HAProxy 2.6 never reuses connections of dynamic servers. It closes one that was not used for
 * some delays: before endpoints do so, since a request that meets that can't be repeated at a lone endpoint.
 */
const POOL = 'pool-max-conn 100 pool-purge-delay 500ms';
const FIRST_NUMBER = 4096;
const LAST_NUMBER = 2 ** 20 - 1;

/** An endpoint as a server of HAProxy: address and options. @throws Error when it asks for TLS and there are no files */
export function serverOf(endpoint: Endpoint, tls: EndpointTls | undefined): string {
  const plain = `${addressOf(endpoint)} ${POOL}`;
  const isHttp2 = endpoint.protocol === 'http2';
  if (!endpoint.tls) return isHttp2 ? `${plain} proto h2` : plain;
  if (!tls) throw new Error(`endpoint ${endpoint.id} asks for TLS, for which the router has no CA`);
  const { name } = endpoint.tls;
  return `${plain} ${tlsOptions(tls)} verifyhost ${name} sni str(${name})${isHttp2 ? ' alpn h2' : ''}`;
}

/** HAProxy 2.6 takes only files into new servers that it knows since its start; a server that is never used names them. */
export function tlsBackend(tls: EndpointTls | undefined): string[] {
  if (!tls) return [];
  return ['backend tls_files', '  mode http', `  server none 127.0.0.1:1 disabled ${tlsOptions(tls)}`, ''];
}

/** What brings a server to where its endpoint is, from what it was before. */
export function bringUp(
  name: string,
  { endpoint, tls }: { readonly endpoint: Endpoint; readonly tls: EndpointTls | undefined },
  before: { readonly state: 'up' | 'leaving'; readonly endpoint: Endpoint } | undefined,
): string[] {
  if (!before) {
    return [`add server ${name} ${serverOf(endpoint, tls)} id ${numberOf(endpoint.id)}`, `enable server ${name}`];
  }
  const hasMoved = addressOf(before.endpoint) !== addressOf(endpoint);
  const moved = hasMoved ? [`set server ${name} addr ${endpoint.host} port ${endpoint.port}`] : [];
  return [...moved, ...(before.state === 'leaving' ? [`set server ${name} state ready`] : [])];
}

/** How an endpoint is spoken to when it is not plain HTTP/1, in one word that a map of HAProxy keeps for a successor. */
export function mannerOf({ protocol, tls }: Pick<Endpoint, 'protocol' | 'tls'>): string | undefined {
  return protocol === 'http1' && !tls ? undefined : `${protocol}/${tls?.name ?? ''}`;
}

/** The reverse of `mannerOf`. */
export function parseManner(text: string): Pick<Endpoint, 'protocol' | 'tls'> {
  const [protocol, name] = text.split('/');
  return { protocol: protocol === 'http2' ? 'http2' : 'http1', ...(name ? { tls: { name } } : {}) };
}

const tlsOptions = ({ caFile, certificate }: EndpointTls) =>
  `ssl verify required ca-file ${caFile}${certificate ? ` crt ${certificate}` : ''}`;

/**
 * Number of a server that is added at run time. Left to itself, HAProxy 2.6 puts all such servers at the same places of
 * its ring and so uses one or two of them. The configuration numbers its servers from 1; two endpoints of a route with one
 * number are refused by HAProxy, and a new configuration follows.
 */
function numberOf(id: string): number {
  const hash = createHash('sha256').update(id).digest().readUInt32BE(0);
  return FIRST_NUMBER + (hash % (LAST_NUMBER - FIRST_NUMBER));
}
