import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';
import { PlatformError } from '../../contract/errors.ts';
import { systemHosts } from '../../contract/hosts.ts';
import { isMissing } from '../../platform/files.ts';

/** What a page of the console may load and do: its own files, its own API, nothing else. */
const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; '),
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

const API_PATH = /^\/(v2|v3|stackato|internal|bulk|networking|routing|oauth)(\/|$)/;
const HASHED = /-[\w-]{8,}\.\w+$/;

export type ConsoleFiles = {
  /** Does this request want the console rather than the API? */
  readonly wants: (request: { readonly host: string; readonly path: string; readonly method: string }) => boolean;
  readonly folder: string;
};

/** The console's built files, for the console's hosts. */
export function consoleFiles(folder: string, domain: string): ConsoleFiles {
  const hosts = [systemHosts(domain).console, domain];
  return {
    folder,
    wants: ({ host, path, method }) =>
      (method === 'GET' || method === 'HEAD') &&
      hosts.includes(host.toLowerCase().replace(/:\d+$/, '')) &&
      !API_PATH.test(path),
  };
}

/** Lets the server answer with the console's files: those that exist, and its page for every other path. */
export async function serveConsole(app: FastifyInstance, files: ConsoleFiles): Promise<void> {
  await app.register(fastifyStatic, { root: files.folder, serve: false, index: false, dotfiles: 'deny' });
  app.addHook('onRequest', async (request, reply) => {
    const path = request.url.split('?')[0] ?? '/';
    if (!files.wants({ host: request.headers.host ?? '', path, method: request.method })) return;
    const name = await existingFile(files.folder, decodedPath(path));
    if (name === undefined) {
      throw new PlatformError('ServiceUnavailable', 'The console is not built. Run `npm run build:console`.');
    }
    void reply.headers(HEADERS);
    void reply.header('cache-control', HASHED.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache');
    return reply.sendFile(name, { cacheControl: false });
  });
}

async function existingFile(folder: string, wanted: string): Promise<string | undefined> {
  for (const name of [wanted, 'index.html']) {
    if (name === '' || name.split('/').includes('..') || name.includes('\0')) continue;
    const found = await stat(join(folder, name)).catch((error: unknown) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    if (found?.isFile()) return name;
  }
  return undefined;
}

function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path).replace(/^\/+/, '');
  } catch (error) {
    if (error instanceof URIError) return '';
    throw error;
  }
}
