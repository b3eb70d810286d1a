import { isIP } from 'node:net';
import type { PayloadOf } from '../contract/subject.ts';
import type { subjects } from '../contract/subjects.ts';
import { parseUri } from '../core/uri.ts';

export type RegisterMessage = PayloadOf<typeof subjects.routerRegister>;

const ID = /^[A-Za-z0-9._:-]{1,128}$/;
const WORD = /^[A-Za-z0-9._-]{0,128}$/;

/** A whole DNS name. */
const NAME = /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/i;

/**
 * The registration with its host as an address, or why it cannot be routed. One that asks for TLS is never routed
 * without it.
 */
export function admit(
  message: RegisterMessage,
  { hasTls }: { readonly hasTls: boolean },
): RegisterMessage | { readonly refused: string } {
  const host = message.host === 'localhost' ? '127.0.0.1' : message.host;
  if (isIP(host) === 0) return { refused: `host '${message.host}' is not an IP address` };
  if (message.tls_port) {
    if (!hasTls) return { refused: 'it asks for TLS, for which router.endpointCaFile must name a CA' };
    const name = message.server_cert_domain_san ?? '';
    if (message.tls_port < 0 || message.tls_port > 65_535) return { refused: 'tls_port is not a port' };
    if (!NAME.test(name) || name.length > 253) return { refused: 'server_cert_domain_san is not a DNS name' };
  } else if (message.port === 0) return { refused: 'it has no port' };
  if (!ID.test(message.private_instance_id || 'none')) return { refused: 'private_instance_id has odd characters' };
  if (!WORD.test(message.app ?? '')) return { refused: 'app has odd characters' };
  if (!WORD.test(message.private_instance_index ?? '')) return { refused: 'private_instance_index has odd characters' };
  const odd = message.uris.find((uri) => parseUri(uri) === undefined);
  if (odd !== undefined && message.uris.length === 1)
    return { refused: `'${odd}' is not a host, host/path or *.domain` };
  return host === message.host ? message : { ...message, host };
}
