import { createHash } from 'node:crypto';
import { join } from 'node:path';

export type NginxOptions = {
  /** Folder of the configuration, the control socket and the pid file; private to root. */
  readonly directory: string;
  /** Address to listen on; default: all, IPv4 and IPv6. */
  readonly address?: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** Certificate, chain and key in one file each. */
  readonly defaultCertificate: string;
  /** Folder of more of them, `*.pem`, chosen by the name that the client asks for. */
  readonly certificates: string;
  readonly minTlsVersion: string;
  /** Certificates that the routers' own are checked against, and the name they must have. */
  readonly routerAuthority: string;
  readonly routerName: string;
  /** 0 = one for each processor. */
  readonly workers: number;
  readonly maxConnections: number;
  /** Longest silence on a connection, s. */
  readonly idleS: number;
  /** Longest wait for a router to take a connection, ms. */
  readonly connectTimeoutMs: number;
  /** From a soft stop until open requests are cut, ms. */
  readonly drainMs: number;
  /** What nginx's workers become; undefined = what they are. */
  readonly user?: string;
};

/** A certificate and the names it is for. */
export type ServedCertificate = { readonly path: string; readonly names: readonly string[] };

/** Where nginx's files are. */
export function filesOf(directory: string) {
  return {
    config: join(directory, 'nginx.conf'),
    candidate: join(directory, 'nginx.conf.new'),
    steer: join(directory, 'steer.lua'),
    routers: join(directory, 'routers'),
    pid: join(directory, 'nginx.pid'),
    socket: join(directory, 'control.sock'),
    errors: join(directory, 'error.log'),
  } as const;
}

/** Tells one configuration from another; nginx says which one it runs. */
export function fingerprint(...texts: readonly string[]): string {
  return createHash('sha256').update(texts.join('\0')).digest('hex').slice(0, 24);
}

type Rendering = {
  readonly options: NginxOptions;
  readonly certificates: readonly ServedCertificate[];
  readonly hasIpv6: boolean;
  /** Open files that one worker may have. */
  readonly openFiles: number;
  readonly version: string;
};

/** The whole configuration. The list of routers is not in it. */
export function renderConfig({ options, certificates, hasIpv6, openFiles, version }: Rendering): string {
  const files = filesOf(options.directory);
  const connections = Math.max(64, Math.min(options.maxConnections * 2 + 100, openFiles - 100));
  return [
    '# Written by the load balancer; changes are overwritten.',
    'load_module /usr/lib/nginx/modules/ndk_http_module.so;',
    'load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;',
    ...(options.user === undefined ? [] : [`user ${options.user};`]),
    `worker_processes ${options.workers === 0 ? 'auto' : options.workers};`,
    `worker_rlimit_nofile ${openFiles};`,
    // A worker that was replaced serves its open streams on, but not for ever.
    `worker_shutdown_timeout ${options.idleS}s;`,
    `pid ${quote(files.pid)};`,
    `error_log ${quote(files.errors)} error;`,
    `events { worker_connections ${connections}; multi_accept on; }`,
    'http {',
    ...indent([
      'access_log off;',
      'server_tokens off;',
      'default_type text/plain;',
      ...temporaryFolders(options.directory),
      'lua_shared_dict routers 1m;',
      `init_by_lua_block { steer = dofile(${quote(files.steer)}) steer.open(${quote(files.routers)}) }`,
      'map $http_upgrade $balancer_connection { default upgrade; "" ""; }',
      ...limits(options),
      ...tls(options),
      'upstream routers {',
      '  server 0.0.0.1;',
      '  balancer_by_lua_block { steer.choose() }',
      '  keepalive 128;',
      // Routers close idle connections after 75 s; a request must not meet that.
      '  keepalive_timeout 30s;',
      '  keepalive_requests 100000;',
      '}',
      ...towardsRouters(options),
      ...servers(options, certificates, hasIpv6),
      ...controlServer(files.socket, version),
    ]),
    '}',
    '',
  ].join('\n');
}

/** nginx makes them when it starts, though nothing is ever put there: neither requests nor answers are stored. */
function temporaryFolders(directory: string): string[] {
  return ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${quote(join(directory, 'tmp', name))};`,
  );
}

function limits({ idleS }: NginxOptions): string[] {
  return [
    'client_max_body_size 0;',
    'client_header_timeout 60s;',
    'large_client_header_buffers 8 32k;',
    `client_body_timeout ${idleS}s;`,
    `send_timeout ${idleS}s;`,
    'keepalive_timeout 75s;',
    'keepalive_requests 100000;',
    'tcp_nodelay on;',
  ];
}

function tls({ minTlsVersion }: NginxOptions): string[] {
  const versions = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];
  return [
    `ssl_protocols ${versions.slice(Math.max(0, versions.indexOf(minTlsVersion))).join(' ')};`,
    'ssl_session_cache shared:clients:10m;',
    'ssl_session_timeout 1h;',
  ];
}

function towardsRouters(options: NginxOptions): string[] {
  return [
    'proxy_http_version 1.1;',
    'proxy_request_buffering off;',
    'proxy_buffering off;',
    'proxy_buffer_size 32k;',
    'proxy_buffers 4 32k;',
    'proxy_max_temp_file_size 0;',
    'proxy_redirect off;',
    // Instructions to nginx itself are not an app's to give.
    'proxy_ignore_headers X-Accel-Redirect X-Accel-Expires X-Accel-Limit-Rate X-Accel-Buffering X-Accel-Charset Expires Cache-Control Set-Cookie Vary;',
    ...['Server', 'Date'].map((name) => `proxy_pass_header ${name};`),
    'proxy_set_header Host $http_host;',
    'proxy_set_header Upgrade $http_upgrade;',
    'proxy_set_header Connection $balancer_connection;',
    'proxy_set_header X-Forwarded-For $remote_addr;',
    'proxy_set_header X-Forwarded-Proto $scheme;',
    'proxy_set_header X-Forwarded-Host $http_host;',
    'proxy_set_header X-Forwarded-Port $server_port;',
    `proxy_connect_timeout ${options.connectTimeoutMs}ms;`,
    `proxy_read_timeout ${options.idleS}s;`,
    `proxy_send_timeout ${options.idleS}s;`,
    'proxy_next_upstream error timeout;',
    // A router that was silent for so long is not asked the same again elsewhere.
    `proxy_next_upstream_timeout ${Math.max(1, options.idleS - 1)}s;`,
    'proxy_ssl_server_name on;',
    `proxy_ssl_name ${options.routerName};`,
    'proxy_ssl_verify on;',
    'proxy_ssl_verify_depth 3;',
    `proxy_ssl_trusted_certificate ${quote(options.routerAuthority)};`,
    'proxy_ssl_protocols TLSv1.2 TLSv1.3;',
  ];
}

const UNREACHED = '502 Bad Gateway: no router completed the request.\\n';
const LATE = '504 Gateway Timeout: the router did not answer in time.\\n';
const NONE = '503 Service Unavailable: the load balancer has no router to send the request to.\\n';

function servers(options: NginxOptions, certificates: readonly ServedCertificate[], hasIpv6: boolean): string[] {
  const addresses = options.address === undefined ? ['*', ...(hasIpv6 ? ['[::]'] : [])] : [options.address];
  const taken = new Set<string>();
  return certificates.flatMap(({ path, names }, index) => {
    const isDefault = index === 0;
    const mine = isDefault ? ['_'] : names.filter((name) => !taken.has(name));
    for (const name of mine) taken.add(name);
    if (mine.length === 0) return [];
    const more = isDefault ? ' default_server backlog=4096' : '';
    return [
      'server {',
      ...addresses.flatMap((at) => [
        ...(isDefault ? [`  listen ${at}:${options.httpPort}${more};`] : []),
        `  listen ${at}:${options.httpsPort} ssl http2${more};`,
      ]),
      `  server_name ${mine.map(quote).join(' ')};`,
      `  ssl_certificate ${quote(path)};`,
      `  ssl_certificate_key ${quote(path)};`,
      '  error_page 502 @unreached;',
      '  error_page 504 @late;',
      '  location / {',
      '    rewrite_by_lua_block { steer.clean() }',
      '    proxy_pass https://routers;',
      '  }',
      `  location @unreached { return 502 "${UNREACHED}"; }`,
      `  location @late { return 504 "${LATE}"; }`,
      `  location @none { add_header Retry-After 2 always; return 503 "${NONE}"; }`,
      '}',
    ];
  });
}

function controlServer(socket: string, version: string): string[] {
  return [
    'server {',
    `  listen ${quote(`unix:${socket}`)};`,
    '  client_body_buffer_size 1m;',
    '  client_body_in_single_buffer on;',
    '  location = /routers { content_by_lua_block { steer.control() } }',
    `  location = /version { return 200 "${version}"; }`,
    '  location = /counts { stub_status; }',
    '}',
  ];
}

const quote = (text: string) => JSON.stringify(text);
const indent = (lines: readonly string[]) => lines.map((line) => `  ${line}`);
