import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { accessLogFormat } from './access-line.ts';
import { FAILED, RETRIES } from './failed-answer.ts';
import { answerRules, appRules, edgeRules, TABLE_BACKEND, TABLE_SERVER, TEXT } from './rules.ts';
import { type EndpointTls, tlsBackend } from './server.ts';

export type HaproxyOptions = {
  /** Folder of the configuration, the maps, the admin socket and the pid file; private to the owner. */
  readonly directory: string;
  /** Address to listen on; default: all, IPv4 and IPv6. */
  readonly address?: string;
  readonly httpPort: number;
  readonly httpsPort: number;
  /** PEM files with certificate, chain and key, the default one first; none = no HTTPS. */
  readonly certificates: readonly string[];
  /** Lowest TLS version, `TLSv1.2`. */
  readonly minTlsVersion: string;
  readonly threads: number;
  readonly maxConnections: number;
  /** Blank backends; 0 = grows by itself. */
  readonly backends: number;
  readonly requestTimeoutS: number;
  readonly tunnelTimeoutS: number;
  /** From a soft stop until open requests are cut, ms. */
  readonly drainMs: number;
  /** Addresses (CIDR) whose X-Forwarded-* headers are believed. */
  readonly trustedProxies: readonly string[];
  /** Cookies of apps that make a session stick. */
  readonly stickyCookies: readonly string[];
  /** User and group HAProxy becomes after binding its ports; undefined = stays what it is. */
  readonly user?: string;
  /** For endpoints that ask for TLS; without it they are not routed. */
  readonly endpointTls?: EndpointTls;
};

/** Where HAProxy's files are. */
export function filesOf(directory: string) {
  return {
    config: join(directory, 'haproxy.cfg'),
    pid: join(directory, 'haproxy.pid'),
    socket: join(directory, 'admin.sock'),
    state: join(directory, 'state.json'),
    routes: join(directory, 'routes.map'),
    script: join(directory, 'failed.lua'),
    instances: join(directory, 'instances.map'),
    certificates: join(directory, 'certs.list'),
  } as const;
}

/** What makes two configurations the same but for their backends; shown by `show info` of a running HAProxy. */
export function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}

/** The configuration but for its backends. `description` is its fingerprint. */
export function renderHead(options: HaproxyOptions, sinkPort: number, hasIpv6: boolean): string {
  const files = filesOf(options.directory);
  return [
    ...defaultsOfApps(options),
    ...defaultsOfEdge(),
    'frontend edge from base_edge',
    ...binds(options, hasIpv6),
    `  maxconn ${options.maxConnections}`,
    '  option http-restrict-req-hdr-names delete',
    '  option dontlognull',
    '  option forwardfor',
    '  unique-id-format %[uuid]',
    // What the access line ends with; `%hr` gives them.
    '  capture request header host len 255',
    '  capture request header user-agent len 1024',
    '  capture request header referer len 1024',
    '  log ring@access len 8192 format raw local0',
    `  log-format "${accessLogFormat(options.trustedProxies.length > 0)}"`,
    ...indent(edgeRules(options, files)),
    ...indent(answerRules()),
    '  use_backend %[var(txn.route),field(1,|)]',
    '',
    ...tlsBackend(options.endpointTls),
    `backend ${TABLE_BACKEND} from base_edge`,
    `  server ${TABLE_SERVER} 127.0.0.1:9`,
    '',
    'ring access',
    '  format raw',
    '  maxlen 8192',
    '  size 4194304',
    '  timeout connect 1s',
    '  timeout server 10s',
    `  server sink 127.0.0.1:${sinkPort} log-proto octet-count`,
    '',
  ].join('\n');
}

const LONGEST_REQUEST_LINE = 4096;

/** The whole configuration: global section, head and backends. */
export function renderConfig(options: HaproxyOptions, head: string, description: string, backends: string): string {
  const { socket, script } = filesOf(options.directory);
  const globals = [
    'global',
    `  description ${description}`,
    `  nbthread ${options.threads}`,
    `  maxconn ${options.maxConnections}`,
    ...(options.user ? [`  user ${options.user}`, `  group ${options.user}`] : []),
    `  stats socket ${socket} mode 600 level admin expose-fd listeners`,
    '  stats timeout 1h',
    '  hard-stop-after 900s',
    '  tune.pool-high-fd-ratio 80',
    '  tune.pool-low-fd-ratio 70',
    `  lua-load ${script}`,
    `  tune.http.logurilen ${LONGEST_REQUEST_LINE}`,
    `  ssl-default-bind-options ssl-min-ver ${options.minTlsVersion}`,
    '',
  ];
  return `${globals.join('\n')}\n${head}\n${backends}`;
}

function defaultsOfApps(options: HaproxyOptions): string[] {
  return [
    'defaults app',
    '  mode http',
    // Also the pause before the same endpoint is tried again; another one is tried at once.
    '  timeout connect 500ms',
    '  timeout client 75s',
    '  timeout client-fin 10s',
    `  timeout server ${options.requestTimeoutS}s`,
    `  timeout tunnel ${options.tunnelTimeoutS}s`,
    '  timeout queue 5s',
    '  timeout http-request 15s',
    '  timeout http-keep-alive 75s',
    '  balance random',
    '  http-reuse always',
    `  retries ${RETRIES}`,
    '  option redispatch 1',
    '  retry-on conn-failure empty-response',
    '  http-send-name-header X-CF-InstanceID',
    ...indent(appRules(options, filesOf(options.directory))),
    `  http-error status 502 ${TEXT} string ${JSON.stringify(FAILED)}`,
    `  http-error status 503 ${TEXT} string ${JSON.stringify(FAILED)}`,
    `  http-error status 504 ${TEXT} string "504 Gateway Timeout: Registered endpoint did not answer in time.\\n"`,
    '',
  ];
}

function defaultsOfEdge(): string[] {
  return [
    'defaults base_edge',
    '  mode http',
    '  timeout connect 2s',
    '  timeout client 75s',
    '  timeout client-fin 10s',
    '  timeout http-request 15s',
    '  timeout http-keep-alive 75s',
    '',
  ];
}

function binds(options: HaproxyOptions, hasIpv6: boolean): string[] {
  const addresses =
    options.address === undefined
      ? [{ at: '*' }, ...(hasIpv6 ? [{ at: '::', more: ' v6only' }] : [])]
      : [{ at: options.address }];
  const tls = ` ssl crt-list ${filesOf(options.directory).certificates} alpn h2,http/1.1`;
  return addresses.flatMap(({ at, more = '' }: { at: string; more?: string }) => [
    `  bind ${at}:${options.httpPort}${more} backlog 4096`,
    ...(options.certificates.length > 0 ? [`  bind ${at}:${options.httpsPort}${more}${tls} backlog 4096`] : []),
  ]);
}

const indent = (lines: readonly string[]) => lines.map((line) => `  ${line}`);
