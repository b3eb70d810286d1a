import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { accessLogFormat } from './access-line.ts';

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
};

/** Where HAProxy's files are. */
export function filesOf(directory: string) {
  return {
    config: join(directory, 'haproxy.cfg'),
    pid: join(directory, 'haproxy.pid'),
    socket: join(directory, 'admin.sock'),
    state: join(directory, 'state.json'),
    routes: join(directory, 'routes.map'),
    instances: join(directory, 'instances.map'),
    certificates: join(directory, 'certs.list'),
  } as const;
}

/** What makes two configurations the same but for their backends; shown by `show info` of a running HAProxy. */
export function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}

/** The options of every server: without the pool settings HAProxy 2.6 never reuses connections of dynamic servers. */
export const SERVER_OPTIONS = 'pool-max-conn 100 pool-purge-delay 1s';

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
    '  log ring@access len 8192 format raw local0',
    `  log-format "${accessLogFormat}"`,
    ...indent(receive(options)),
    ...indent(lookup(files)),
    ...indent(target(files)),
    ...indent(session(options)),
    ...indent(forward()),
    '  use_backend %[var(txn.route),field(1,|)]',
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

/** The whole configuration: global section, head and backends. */
export function renderConfig(options: HaproxyOptions, head: string, description: string, backends: string): string {
  const { socket } = filesOf(options.directory);
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
    `  ssl-default-bind-options ssl-min-ver ${options.minTlsVersion}`,
    '',
  ];
  return `${globals.join('\n')}\n${head}\n${backends}`;
}

const TEXT = 'content-type "text/plain; charset=utf-8" hdr X-Content-Type-Options nosniff';
const FAILED = `"502 Bad Gateway: Registered endpoint failed to handle the request.\\n"`;
const NOT_REPLIED = '!{ var(txn.replied) -m found } !{ res.hdr(X-Cf-RouterError) -m found }';
const refuse = (status: number, error: string, text: string, more = '') =>
  `http-request return status ${status} ${TEXT} hdr X-Cf-RouterError ${error} ${more}lf-string "${text}\\n"`;

function defaultsOfApps(options: HaproxyOptions): string[] {
  const sticky = options.stickyCookies.map((name) => `{ res.cook(${name}) -m found }`).join(' || ');
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
    '  retries 2',
    '  option redispatch 1',
    '  retry-on conn-failure empty-response',
    '  http-send-name-header X-CF-InstanceID',
    // A backend of a HAProxy that is being replaced counts none of its servers, and still has them.
    `  ${refuse(503, 'no_endpoints', "503 Service Unavailable: Requested route ('%[var(txn.host)]') has no available endpoints.")} if { nbsrv eq 0 } !{ stopping }`,
    '  http-request disable-l7-retry unless METH_GET or { method OPTIONS TRACE } or { req.hdr(Idempotency-Key) -m found }',
    '  http-response set-var(txn.replied) bool(true)',
    ...affinity(sticky),
    `  http-after-response set-status 502 reason "Bad Gateway" if { status 502 503 } ${NOT_REPLIED}`,
    `  http-after-response set-header X-Cf-RouterError endpoint_failure if ${NOT_REPLIED}`,
    `  http-error status 502 ${TEXT} string ${FAILED}`,
    `  http-error status 503 ${TEXT} string ${FAILED}`,
    `  http-error status 504 ${TEXT} string "504 Gateway Timeout: Registered endpoint did not answer in time.\\n"`,
    '',
  ];
}

/** A response that opens a session names its instance; so does one to a session whose instance is gone. */
function affinity(sticky: string): string[] {
  if (!sticky) return [];
  const part = (pattern: string, text: string) =>
    `  http-response set-var-fmt(txn.ck) "%[var(txn.ck)]${text}" if { var(txn.ck) -m found } { res.fhdr(set-cookie) -m reg -i ${pattern} }`;
  return [
    `  http-response set-var-fmt(txn.ck) "__VCAP_ID__=%[srv_name]; Path=%[var(txn.route),field(3,|)]; HttpOnly" if ${sticky}`,
    '  http-response set-var-fmt(txn.ck) "__VCAP_ID__=%[srv_name]; Path=%[var(txn.route),field(3,|)]; HttpOnly" if { var(txn.sticky) -m found } !{ srv_name,strcmp(txn.sticky) eq 0 }',
    part(';\\s*secure', '; Secure'),
    part(';\\s*samesite=strict', '; SameSite=Strict'),
    part(';\\s*samesite=lax', '; SameSite=Lax'),
    part(';\\s*samesite=none', '; SameSite=None'),
    '  http-response add-header Set-Cookie "%[var(txn.ck)]" if { var(txn.ck) -m found } !{ res.cook(__VCAP_ID__) -m found }',
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

/** Rules are walked one by one for every request, so each of them has to earn its place. */
function receive(options: HaproxyOptions): string[] {
  const isTrusted = options.trustedProxies.length > 0 ? ` unless { src ${options.trustedProxies.join(' ')} }` : '';
  return [
    'http-request set-var(txn.host) req.hdr(host),field(1,:),lower',
    'http-request set-var(txn.url) pathq',
    'http-request set-var(txn.ua) req.fhdr(user-agent)',
    'http-request set-var(txn.ref) req.fhdr(referer)',
    `http-request del-header X-Forwarded- -m beg${isTrusted}`,
    `http-request del-header Forwarded${isTrusted}`,
    ...(isTrusted ? ['http-request set-var(txn.xff) req.fhdr(x-forwarded-for)'] : []),
    // 2.6 lets NUL through in header values.
    "http-request deny deny_status 400 if { req.hdrs -m reg '\\x00' }",
    `http-request return status 200 content-type text/plain hdr Cache-Control "private, max-age=0" hdr Expires 0 string "ok\\n" if { path /health } { req.hdr(user-agent) HTTP-Monitor/1.1 }`,
    `${refuse(400, 'empty_host', '400 Bad Request: Request had empty Host header', 'hdr Cache-Control "public,max-age=2" ')} unless { var(txn.host) -m len gt 0 }`,
    // No tunnels that would carry requests past these rules.
    'http-request del-header Upgrade if { req.hdr(Upgrade) -m found } !{ req.hdr(Upgrade) -i -m str websocket }',
  ];
}

const WILDCARD_LEVELS = 6;

/** Exact host with its longest path first, then wildcards made by dropping leading labels. Keys end in `/`. */
function lookup(files: ReturnType<typeof filesOf>): string[] {
  const missing = '!{ var(txn.route) -m found }';
  const find = `http-request set-var(txn.route) var(txn.key),map_beg(${files.routes})`;
  // Parentheses would end regsub's arguments.
  const level = (label: string) => [
    `http-request set-var(txn.key) var(txn.key),regsub(${label},*) if ${missing}`,
    `${find} if ${missing}`,
  ];
  return [
    'http-request set-var(txn.key) base,lower,concat(/)',
    'http-request set-var(txn.key) var(txn.key),regsub(:[0-9]*/,/) if { req.hdr(host) -m sub : }',
    find,
    ...level('^[^./]+'),
    ...Array.from({ length: WILDCARD_LEVELS - 1 }, () => level('^[*][.][^./]+')).flat(),
    `${refuse(404, 'unknown_route', "404 Not Found: Requested route ('%[var(txn.host)]') does not exist.", 'hdr Cache-Control "no-cache, no-store" ')} if ${missing}`,
    'http-request set-var(txn.app) var(txn.route),field(2,|)',
  ];
}

/** A request may name the instance it wants, by header or by its session's cookies. */
function target(files: ReturnType<typeof filesOf>): string[] {
  const wanted = '{ var(txn.want) -m found }';
  const malformed = `${wanted} !{ var(txn.want) -m reg ^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}:[0-9]+$ }`;
  const invalid = (header: string, error: string) =>
    `${refuse(400, error, `400 Bad Request: Invalid ${header} header; expected a guid, a colon and an instance index`)} if ${malformed} { req.hdr(${header}) -m found }`;
  return [
    'http-request set-var(txn.want) req.hdr(X-CF-Process-Instance)',
    'http-request set-var(txn.want) req.hdr(X-CF-App-Instance)',
    invalid('X-CF-App-Instance', 'invalid_cf_app_instance_header'),
    invalid('X-CF-Process-Instance', 'invalid_cf_process_instance_header'),
    `http-request set-var-fmt(txn.wantkey) "%[var(txn.route),field(1,|)]/%[var(txn.want)]" if ${wanted}`,
    `http-request set-var(txn.srv) var(txn.wantkey),map(${files.instances})`,
    `${refuse(400, 'unknown_route', "400 Bad Request: Requested instance ('%[var(txn.want),field(2,:)]') with guid ('%[var(txn.want),field(1,:)]') does not exist for route ('%[var(txn.host)]')")} if ${wanted} !{ var(txn.srv) -m found }`,
  ];
}

/** A request that carries both a session cookie and our own goes to the instance that opened the session. */
function session(options: HaproxyOptions): string[] {
  const ours = '{ req.cook(__VCAP_ID__) -m found }';
  const both = options.stickyCookies.map((name) => `${ours} { req.cook(${name}) -m found }`).join(' || ');
  if (!both) return [];
  return [
    `http-request set-var(txn.sticky) req.cook(__VCAP_ID__) if ${both}`,
    'http-request set-var(txn.srv) var(txn.sticky) if { var(txn.sticky) -m found } !{ var(txn.want) -m found }',
  ];
}

function forward(): string[] {
  return [
    'http-request del-header X-CF- -m beg',
    'http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]',
    'http-request set-header X-Request-Start %[date(0,ms)] unless { req.hdr(X-Request-Start) -m found }',
    'http-request set-header X-Vcap-Request-Id %[unique-id]',
    'http-request set-header X-CF-ApplicationID %[var(txn.app)]',
    'http-after-response set-header X-Vcap-Request-Id %[unique-id] unless { res.hdr(X-Vcap-Request-Id) -m found }',
    'http-after-response set-var(txn.rerr) res.hdr(X-Cf-RouterError) unless { var(txn.replied) -m found }',
  ];
}

const indent = (lines: readonly string[]) => lines.map((line) => `  ${line}`);
