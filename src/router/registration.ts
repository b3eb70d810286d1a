import { isIP } from 'node:net';
import type { PayloadOf } from '../contract/subject.ts';
import type { subjects } from '../contract/subjects.ts';
import { parseUri } from '../core/uri.ts';

export type RegisterMessage = PayloadOf<typeof subjects.routerRegister>;

const ID = /^[A-Za-z0-9._:-]{1,128}$/;
const WORD = /^[A-Za-z0-9._-]{0,128}$/;

/** The registration with its host as an address, or why it cannot be routed. */
export function admit(message: RegisterMessage): RegisterMessage | { readonly refused: string } {
  const host = message.host === 'localhost' ? '127.0.0.1' : message.host;
  if (isIP(host) === 0) return { refused: `host '${message.host}' is not an IP address` };
  if (message.port === 0) {
    return {
      refused: message.tls_port ? 'TLS to endpoints is not supported: it needs a plain port' : 'it has no port',
    };
  }
  if (!ID.test(message.private_instance_id || 'none')) return { refused: 'private_instance_id has odd characters' };
  if (!WORD.test(message.app ?? '')) return { refused: 'app has odd characters' };
  if (!WORD.test(message.private_instance_index ?? '')) return { refused: 'private_instance_index has odd characters' };
  const odd = message.uris.find((uri) => parseUri(uri) === undefined);
  if (odd !== undefined && message.uris.length === 1)
    return { refused: `'${odd}' is not a host, host/path or *.domain` };
  return host === message.host ? message : { ...message, host };
}
