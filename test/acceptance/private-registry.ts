import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { zipOf } from '../../src/controller/testing/zip.ts';
import { writeTar } from '../../src/platform/tar-stream.ts';

/** What the one package of every registry says. */
export const greeting = 'hello from a private registry';
export const packageName = 'stackato-greeting';
export const goModule = 'greeting.test/stackato';
const VERSION = '1.0.0';

type Files = Readonly<Record<string, string | Buffer>>;

/**
 * A server with one package for npm, pip, bundler, Composer and Go, below a path each, that answers as an HTTP proxy
 * too: requests for any host are served by itself.
 */
export class PrivateRegistry implements AsyncDisposable {
  /** `HOST/PATH` of each request, as clients asked. */
  readonly requests: string[] = [];
  readonly #server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', `http://${request.headers.host}`);
    this.requests.push(`${url.host}${url.pathname}`);
    const body = this.#files[url.pathname];
    response
      .writeHead(body === undefined ? 404 : 200, { 'content-type': typeOf(url.pathname) })
      .end(body ?? 'no such file');
  });
  #files: Files = {};

  static async listen(host: string): Promise<PrivateRegistry> {
    const registry = new PrivateRegistry();
    registry.#server.listen(0, host);
    await once(registry.#server, 'listening');
    return registry;
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `http://${address}:${port}`;
  }

  /** Takes the packages in, with links to them below this URL. */
  async fill(origin: string): Promise<void> {
    this.#files = Object.assign({}, ...(await Promise.all([npm(origin), pip(), gems(), composer(origin), go()])));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** The settings that name such a registry. */
export function settingsOf(origin: string): Readonly<Record<string, string>> {
  return {
    npmRegistry: `${origin}/npm/`,
    pipIndex: `${origin}/pip/simple`,
    gemSource: `${origin}/gems`,
    goProxy: `${origin}/go`,
    composerRepository: `${origin}/composer`,
  };
}

async function npm(origin: string): Promise<Files> {
  const manifest = { name: packageName, version: VERSION, main: 'index.js' };
  const tarball = gzipSync(
    await tarOf({
      'package/package.json': JSON.stringify(manifest),
      'package/index.js': `module.exports = '${greeting}'\n`,
    }),
  );
  const path = `/npm/${packageName}/-/${packageName}-${VERSION}.tgz`;
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  const versions = { [VERSION]: { ...manifest, dist: { tarball: `${origin}${path}`, integrity } } };
  const about = { name: packageName, 'dist-tags': { latest: VERSION }, versions };
  return { [`/npm/${packageName}`]: JSON.stringify(about), [path]: tarball };
}

async function pip(): Promise<Files> {
  const module = packageName.replace('-', '_');
  const wheel = `${module}-${VERSION}-py3-none-any.whl`;
  const info = `${module}-${VERSION}.dist-info`;
  const content = await zipOf({
    [`${module}.py`]: `text = '${greeting}'\n`,
    [`${info}/METADATA`]: `Metadata-Version: 2.1\nName: ${packageName}\nVersion: ${VERSION}\n`,
    [`${info}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    [`${info}/RECORD`]: `${module}.py,,\n${info}/METADATA,,\n${info}/WHEEL,,\n${info}/RECORD,,\n`,
  });
  return {
    [`/pip/simple/${packageName}/`]: `<!DOCTYPE html><a href="../../${wheel}">${wheel}</a>`,
    [`/pip/${wheel}`]: content,
  };
}

/** In the form of the compact index. */
async function gems(): Promise<Files> {
  const any = `!ruby/object:Gem::Requirement
  requirements:
  - - ">="
    - !ruby/object:Gem::Version
      version: '0'`;
  const specification = `--- !ruby/object:Gem::Specification
name: ${packageName}
version: !ruby/object:Gem::Version
  version: ${VERSION}
platform: ruby
authors: [somebody]
date: 2026-01-01 00:00:00.000000000 Z
dependencies: []
files: [lib/${packageName}.rb]
require_paths: [lib]
required_ruby_version: ${any}
required_rubygems_version: ${any}
specification_version: 4
summary: A greeting
`;
  const gem = await tarOf({
    'metadata.gz': gzipSync(specification),
    'data.tar.gz': gzipSync(await tarOf({ [`lib/${packageName}.rb`]: `GREETING = '${greeting}'\n` })),
  });
  const info = `---\n${VERSION} |checksum:${createHash('sha256').update(gem).digest('hex')}\n`;
  const digest = createHash('md5').update(info).digest('hex');
  return {
    '/gems/versions': `created_at: 2026-01-01T00:00:00Z\n---\n${packageName} ${VERSION} ${digest}\n`,
    [`/gems/info/${packageName}`]: info,
    [`/gems/gems/${packageName}-${VERSION}.gem`]: gem,
  };
}

async function composer(origin: string): Promise<Files> {
  const name = packageName.replace('-', '/');
  const manifest = { name, version: VERSION, autoload: { files: ['greeting.php'] } };
  const content = await zipOf({
    'composer.json': JSON.stringify(manifest),
    'greeting.php': `<?php const GREETING = '${greeting}';\n`,
  });
  const path = `/composer/dist/greeting-${VERSION}.zip`;
  const dist = { type: 'zip', url: `${origin}${path}`, shasum: createHash('sha1').update(content).digest('hex') };
  return {
    '/composer/packages.json': JSON.stringify({ packages: { [name]: { [VERSION]: { ...manifest, dist } } } }),
    [path]: content,
  };
}

const goFiles = {
  'go.mod': `module ${goModule}\n`,
  'greeting.go': `package stackato\n\nconst Greeting = "${greeting}"\n`,
};

async function go(): Promise<Files> {
  const root = `${goModule}@v${VERSION}/`;
  const content = await zipOf(Object.fromEntries(Object.entries(goFiles).map(([name, text]) => [root + name, text])));
  const versions = `/go/${goModule}/@v`;
  return {
    [`${versions}/list`]: `v${VERSION}\n`,
    [`${versions}/v${VERSION}.info`]: JSON.stringify({ Version: `v${VERSION}`, Time: '2026-01-01T00:00:00Z' }),
    [`${versions}/v${VERSION}.mod`]: goFiles['go.mod'],
    [`${versions}/v${VERSION}.zip`]: content,
  };
}

/** The checksums that an app's go.sum has for the module. */
export function goSum(): string {
  const sha256 = (text: string) => createHash('sha256').update(text);
  const hash = (files: Readonly<Record<string, string>>) => {
    const lines = Object.entries(files).map(([name, text]) => `${sha256(text).digest('hex')}  ${name}\n`);
    return `h1:${sha256(lines.sort((a, b) => (a.slice(66) < b.slice(66) ? -1 : 1)).join('')).digest('base64')}`;
  };
  const root = `${goModule}@v${VERSION}/`;
  const all = Object.fromEntries(Object.entries(goFiles).map(([name, text]) => [root + name, text]));
  return `${goModule} v${VERSION} ${hash(all)}\n${goModule} v${VERSION}/go.mod ${hash({ 'go.mod': goFiles['go.mod'] })}\n`;
}

async function tarOf(files: Files): Promise<Buffer> {
  const entries = (async function* () {
    for (const [path, text] of Object.entries(files)) {
      const content = Buffer.from(text);
      yield {
        path,
        bytes: content.length,
        content: (async function* () {
          yield content;
        })(),
      };
    }
  })();
  return buffer(writeTar(entries, { mtimeS: 0 }));
}

function typeOf(path: string): string {
  if (path.startsWith('/pip/simple/')) return 'text/html';
  return /json|^\/npm\/[^/]+$/.test(path) ? 'application/json' : 'application/octet-stream';
}
