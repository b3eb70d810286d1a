import { request } from 'node:http';
import { systemHosts } from '../contract/hosts.ts';
import { systemClock } from '../platform/clock.ts';
import { signPath } from '../platform/secret-box.ts';
import type { Node } from './node.ts';
import { Refusal } from './refusal.ts';

const TIMEOUT_MS = 30_000;
const FIRST_ADMIN = '/internal/v1/first_admin';

export type HttpAnswer = { readonly status: number; readonly body: string; readonly headers: Record<string, unknown> };
type HttpCall = {
  readonly port: number;
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
};

/** The v3 API as kato uses it. */
export type ApiClient = {
  /** Guid of the first resource that matches, or undefined. */
  readonly find: (path: string, filter: Readonly<Record<string, string>>) => Promise<string | undefined>;
  /** Creates a resource and gives its guid. */
  readonly create: (path: string, body: unknown) => Promise<string>;
};

/** One HTTP request on loopback. */
export function callHttp(call: HttpCall, timeoutMs = TIMEOUT_MS): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const { port, method, path, headers = {}, body } = call;
    const options = { host: '127.0.0.1', port, method, path, headers: { ...headers }, agent: false as const };
    const sent = request({ ...options, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: text, headers: response.headers }));
    });
    sent.on('error', (cause: NodeJS.ErrnoException) =>
      reject(cause.code === 'ECONNREFUSED' ? nobodyThere(port, cause) : cause),
    );
    sent.end(body);
  });
}

function nobodyThere(port: number, cause: Error): Refusal {
  return new Refusal(`nothing answers on port ${port} of this machine`, '`kato status`, then `kato start controller`', {
    cause,
  });
}

/** Posts to an internal address of this node's controller or login server, by the cluster's signing key. */
export function callSigned(
  { credentials: { signingKey = '' } }: Pick<Node, 'credentials'>,
  { port, path, body, timeoutMs }: { port: number; path: string; body: unknown; timeoutMs?: number },
): Promise<HttpAnswer> {
  const expiresAtS = Math.floor(systemClock.nowMs() / 1000) + 60;
  const signed = signPath(signingKey, { method: 'POST', path, expiresAtS });
  const headers = { 'content-type': 'application/json' };
  return callHttp({ port, method: 'POST', path: signed, headers, body: JSON.stringify(body) }, timeoutMs);
}

/** Makes the first administrator on the login server; saying the same twice is fine. */
export async function createFirstAdmin(
  node: Node,
  { email, password, userName }: { email: string; password: string; userName?: string | undefined },
): Promise<'made' | 'already'> {
  const body = { email, password, userName };
  const answer = await callSigned(node, { port: node.config.aok.port, path: FIRST_ADMIN, body });
  if (answer.status === 201) return 'made';
  if (answer.status === 200) return 'already';
  if (answer.status === 409) {
    const { error_description: why } = JSON.parse(answer.body) as { error_description: string };
    throw new Refusal(why, 'an administrator makes others, in the console');
  }
  throw new Refusal(
    `the login server refused the first administrator: ${reasonOf(answer)}`,
    'give another --email or password',
  );
}

/** Keeps the hash of the password that the first administrator may be made with over HTTP. */
export async function putSetupPassword(node: Node, password: string): Promise<'made' | 'taken'> {
  const path = '/internal/v1/setup_password';
  const answer = await callSigned(node, { port: node.config.aok.port, path, body: { password } });
  if (answer.status === 204) return 'made';
  if (answer.status === 409) return 'taken';
  throw new Refusal(
    `the login server refused the set-up password: ${reasonOf(answer)}`,
    'give one of 12 characters or more on standard input',
  );
}

/** Logs in at the login server and gives the API as that user. */
export async function logIn(node: Node, admin: { email: string; password: string }): Promise<ApiClient> {
  const form = new URLSearchParams({ grant_type: 'password', username: admin.email, password: admin.password });
  const answer = await callHttp({
    port: node.config.aok.port,
    method: 'POST',
    path: '/oauth/token',
    headers: {
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from('cf:').toString('base64')}`,
      accept: 'application/json',
    },
    body: form.toString(),
  });
  if (answer.status !== 200)
    throw new Refusal(
      `the login server refused ${admin.email}: ${reasonOf(answer)}`,
      'give the right password with --password-stdin',
    );
  return apiClient(node, (JSON.parse(answer.body) as { access_token: string }).access_token);
}

function apiClient(node: Node, token: string): ApiClient {
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await callHttp({
      port: node.config.controller.port,
      method,
      path,
      headers: {
        authorization: `bearer ${token}`,
        host: systemHosts(node.config.cluster.domain).api,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (answer.status >= 300) throw new Refusal(`the API refused ${method} ${path.split('?')[0]}: ${reasonOf(answer)}`);
    return JSON.parse(answer.body) as { guid?: string; resources?: { guid: string }[] };
  };
  return {
    find: async (path, filter) => (await call('GET', `${path}?${new URLSearchParams(filter)}`)).resources?.[0]?.guid,
    create: async (path, body) => (await call('POST', path, body)).guid ?? '',
  };
}

function reasonOf({ status, body }: HttpAnswer): string {
  return `${status} ${body.slice(0, 300).trim()}`;
}
