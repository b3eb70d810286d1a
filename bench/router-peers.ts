import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { environment } from '../src/platform/config.ts';
import { ExecError, exec, start } from '../src/platform/exec.ts';
import { writeFileAtomic } from '../src/platform/files.ts';
import { freePort } from '../src/platform/testing/free-port.ts';

/** Something that answers HTTP on a loopback port and whose CPU can be measured. */
export type Peer = {
  readonly name: string;
  readonly port: number;
  readonly host: string;
  readonly pids: () => readonly number[];
} & AsyncDisposable;

/** The app behind every proxy: nginx answering a short text itself. */
export function nginxBackend(folder: string): Promise<Peer> {
  return nginx(folder, 'origin', (port) => [
    'server {',
    `  listen 127.0.0.1:${port} backlog=4096;`,
    '  location / { default_type text/plain; return 200 "hello from an app\\n"; }',
    '}',
  ]);
}

/** Bare nginx `proxy_pass` with keep-alive to one app: the host kept, but no table, no log, no other headers. */
export function nginxProxy(folder: string, origin: number): Promise<Peer> {
  return nginx(folder, 'nginx', (port) => [
    `upstream app { server 127.0.0.1:${origin}; keepalive 256; }`,
    'server {',
    `  listen 127.0.0.1:${port} backlog=4096;`,
    '  location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }',
    '}',
  ]);
}

/** Go's `httputil.ReverseProxy` as most people write it; undefined where there is no Go. */
export async function goProxy(folder: string, origin: number): Promise<Peer | undefined> {
  try {
    await exec(['go', 'version']);
  } catch (error) {
    if (error instanceof ExecError) return undefined;
    throw error;
  }
  const port = await freePort();
  await writeFileAtomic(`${folder}/go/go.mod`, 'module proxy\n\ngo 1.20\n');
  await writeFileAtomic(`${folder}/go/main.go`, GO);
  const env = { PATH: environment.path, HOME: environment.home, GOCACHE: `${folder}/go/cache`, CGO_ENABLED: '0' };
  await exec(['go', 'build', '-o', 'proxy', '.'], { cwd: `${folder}/go`, env, timeoutMs: 180_000 });
  return child('Go ReverseProxy', port, [`${folder}/go/proxy`, `127.0.0.1:${port}`, `http://127.0.0.1:${origin}`]);
}

/** The same in Node, for machines without Go. */
export async function nodeProxy(folder: string, origin: number): Promise<Peer> {
  const port = await freePort();
  await writeFileAtomic(`${folder}/node-proxy.mjs`, NODE);
  return child('Node http proxy', port, [process.execPath, `${folder}/node-proxy.mjs`, String(port), String(origin)]);
}

const GO = `package main

import (
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
)

func main() {
	target, _ := url.Parse(os.Args[2])
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.Transport = &http.Transport{MaxIdleConnsPerHost: 256}
	panic(http.ListenAndServe(os.Args[1], proxy))
}
`;

const NODE = `import { Agent, createServer, request } from 'node:http';
const [port, origin] = process.argv.slice(2).map(Number);
const agent = new Agent({ keepAlive: true, maxSockets: 256 });
createServer((from, to) => {
  const { method, url: path, headers } = from;
  from.pipe(request({ host: '127.0.0.1', port: origin, method, path, headers, agent }, (answer) => {
    to.writeHead(answer.statusCode, answer.headers);
    answer.pipe(to);
  }));
}).listen(port, '127.0.0.1', 4096);
`;

async function nginx(folder: string, name: string, server: (port: number) => readonly string[]): Promise<Peer> {
  const port = await freePort();
  const at = `${folder}/${name}`;
  const config = [
    'daemon off;',
    'worker_processes 1;',
    'worker_rlimit_nofile 8192;',
    `pid ${at}/nginx.pid;`,
    'events { worker_connections 4096; }',
    'http {',
    '  access_log off;',
    '  keepalive_requests 1000000000;',
    ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `  ${kind}_temp_path ${at}/${kind};`),
    ...server(port),
    '}',
  ];
  await writeFileAtomic(`${at}/nginx.conf`, `${config.join('\n')}\n`);
  return child(name, port, ['nginx', '-c', `${at}/nginx.conf`, '-e', `${at}/error.log`, '-p', at]);
}

async function child(name: string, port: number, argv: readonly string[]): Promise<Peer> {
  const process = start(argv, {}, ['ignore', 'ignore', 'ignore']);
  await once(process, 'spawn');
  const pid = process.pid ?? 0;
  await listening(name, port);
  return {
    name,
    port,
    host: 'app-5000.test',
    pids: () => [pid, ...childrenOf(pid)],
    [Symbol.asyncDispose]: async () => {
      process.kill('SIGTERM');
      if (process.exitCode === null) await once(process, 'exit');
    },
  };
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number);
}

async function listening(name: string, port: number): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.on('connect', () => resolve(true));
      socket.on('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    if (performance.now() > deadlineMs) throw new Error(`${name} does not listen on port ${port} after 10 s`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
