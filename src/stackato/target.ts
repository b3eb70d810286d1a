import { DecodeError, decode } from '../contract/decode.ts';
import { RootDocument } from './api/resources.ts';
import type { Transport } from './api/transport.ts';
import { UnreachableError } from './api/transport.ts';
import { ClientError } from './client-error.ts';
import type { TargetEntry } from './config-store.ts';
import type { Terminal } from './terminal.ts';

/** The known target that the user means, or nothing when it has to be looked for. */
export function normalizedTarget(wanted: string, known: readonly string[]): string | undefined {
  const text = wanted.trim().replace(/\/+$/, '').toLowerCase();
  return known.find((target) => target === text || target === `https://${text}` || target === `http://${text}`);
}

/**
 * Asks an address whether it is a platform's API. Without a scheme HTTPS is tried, then, for this machine, HTTP.
 *
 * @throws ClientError naming what was found instead
 */
export async function discover(
  wanted: string,
  transport: Transport,
  context: { signal: AbortSignal; terminal: Terminal },
): Promise<{ target: string; entry: TargetEntry; version: string }> {
  const text = wanted.trim().replace(/\/+$/, '');
  const hasScheme = /^https?:\/\//i.test(text);
  if (!URL.canParse(hasScheme ? text : `https://${text}`)) {
    throw new ClientError(`'${wanted}' is not an address`, {
      next: 'Give a host or URL, such as api.stackato.localhost',
      exitCode: 2,
    });
  }
  if (hasScheme) return ask(new URL(text), transport, context.signal);
  try {
    return await ask(new URL(`https://${text}`), transport, context.signal);
  } catch (error) {
    const url = new URL(`http://${text}`);
    if (!(error instanceof UnreachableError) || !/(^|\.)localhost$/.test(url.hostname)) throw error;
    const found = await ask(url, transport, context.signal);
    context.terminal.note(`Using http, because https did not work: ${error.message}`);
    return found;
  }
}

async function ask(url: URL, transport: Transport, signal: AbortSignal) {
  const target = `${url.origin}${url.pathname.replace(/\/+$/, '')}`;
  const reply = await transport.send({
    url: `${target}/`,
    headers: { accept: 'application/json' },
    idleMs: 15_000,
    signal,
  });
  const links = linksIn(reply.text);
  if (reply.status !== 200 || !links) {
    const isAway = reply.headers['x-cf-routererror'] !== undefined || reply.status >= 500;
    throw new ClientError(
      isAway
        ? `There is a router at ${url.origin}, but no API behind that name answers (status ${reply.status})`
        : `${url.origin} answers, but not as a platform API (status ${reply.status})`,
      { next: 'Check the name; the API is usually at api.DOMAIN. On the server: kato status' },
    );
  }
  const entry: TargetEntry = {
    login: links.login.href,
    uaa: links.uaa.href,
    logCache: links.log_cache?.href ?? target.replace('://api.', '://log-cache.'),
    skipSslValidation: false,
  };
  return { target, entry, version: links.cloud_controller_v3.meta?.version ?? '' };
}

function linksIn(text: string) {
  try {
    return decode(RootDocument, JSON.parse(text), 'root document').links;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof DecodeError) return undefined;
    throw error;
  }
}
