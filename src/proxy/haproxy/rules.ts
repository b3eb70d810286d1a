/** What HAProxy does with each request and answer. Every rule costs every request, so rare cases come after an `allow`. */

import { beforeFailed, lateAt, OF_APP } from './failed-answer.ts';

type Options = {
  readonly requestTimeoutS: number;
  readonly trustedProxies: readonly string[];
  readonly stickyCookies: readonly string[];
};
type Files = { readonly routes: string; readonly instances: string };

/** Header of the answers to health checks: `0` while the table may be out of date. */
const TABLE_HEADER = 'X-Stackato-Table';
/** A backend that nobody is sent to: whether its one server is on says whether the table is current. */
export const TABLE_BACKEND = 'table';
export const TABLE_SERVER = 'current';

export const TEXT = 'content-type "text/plain; charset=utf-8" hdr X-Content-Type-Options nosniff';
const HOST = '%[req.hdr(host),field(1,:),lower]';
const NO_ROUTE = '!{ var(txn.route) -m found }';
/** Set on a refusal of the app itself only: nothing asks about an answer that went well. */
const NOT_REPLIED = '{ status ge 400 } !{ var(txn.replied) -m found }';
/** Is the route one of several apps? A path of a route has no `|`. */
const SHARED = '{ var(txn.route) -m sub |* }';
const WILDCARD_LEVELS = 6;
/** HAProxy repeats what fits into one of its buffers, with the header. */
const REPEATED_BYTES = 8192;

const refuse = (status: number, error: string, text: string, more = '') =>
  `http-request return status ${status} ${TEXT} hdr X-Cf-RouterError ${error} ${more}lf-string "${text}\\n"`;

/** The rules of the frontend: what a request must be, and where it goes. */
export function edgeRules(options: Options, files: Files): string[] {
  const hasTrusted = options.trustedProxies.length > 0;
  const stranger = hasTrusted ? ` unless { src ${options.trustedProxies.join(' ')} }` : '';
  return [
    `http-request del-header X-Forwarded- -m beg${stranger}`,
    `http-request del-header Forwarded${stranger}`,
    ...(hasTrusted ? ['http-request set-var(txn.xff) req.fhdr(x-forwarded-for)'] : []),
    // 2.6 lets NUL through in header values.
    "http-request deny deny_status 400 if { req.hdrs -m reg '\\x00' }",
    `http-request return status 200 content-type text/plain hdr Cache-Control "private, max-age=0" hdr Expires 0 hdr ${TABLE_HEADER} %[nbsrv(${TABLE_BACKEND})] string "ok\\n" if { path /health } { req.hdr(user-agent) HTTP-Monitor/1.1 }`,
    // No tunnels that would carry requests past these rules.
    'http-request del-header Upgrade if { req.hdr(Upgrade) -m found } !{ req.hdr(Upgrade) -i -m str websocket }',
    ...lookup(files),
  ];
}

/**
 * Exact host with its longest path first; for the rest of the requests the port is taken off, then wildcards are
 * made by dropping leading labels. Keys end in `/`.
 */
function lookup({ routes }: Files): string[] {
  const find = `http-request set-var(txn.route) var(txn.key),map_beg(${routes}) if ${NO_ROUTE}`;
  // Parentheses would end regsub's arguments.
  const level = (label: string) => [
    `http-request set-var(txn.key) var(txn.key),regsub(${label},*) if ${NO_ROUTE}`,
    find,
  ];
  return [
    `http-request set-var(txn.route) base,lower,concat(/),map_beg(${routes})`,
    'http-request allow if { var(txn.route) -m found }',
    `${refuse(400, 'empty_host', '400 Bad Request: Request had empty Host header', 'hdr Cache-Control "public,max-age=2" ')} unless { req.hdr(host),field(1,:) -m len gt 0 }`,
    'http-request set-var(txn.key) base,lower,concat(/)',
    'http-request set-var(txn.key) var(txn.key),regsub(:[0-9]*/,/) if { req.hdr(host) -m sub : }',
    find,
    ...level('^[^./]+'),
    ...Array.from({ length: WILDCARD_LEVELS - 1 }, () => level('^[*][.][^./]+')).flat(),
    `${refuse(404, 'unknown_route', `404 Not Found: Requested route ('${HOST}') does not exist.`, 'hdr Cache-Control "no-cache, no-store" ')} if ${NO_ROUTE}`,
  ];
}

/** The rules about answers that also hold for those of the frontend itself. */
export function answerRules(): string[] {
  return [
    'http-after-response add-header X-Vcap-Request-Id %[unique-id] unless { res.hdr(X-Vcap-Request-Id) -m found }',
    // A fourth part of the route, since each expression in the access line costs every request.
    `http-after-response set-var-fmt(txn.route) "%[var(txn.route)]|%[res.hdr(X-Cf-RouterError)]" if ${NOT_REPLIED}`,
  ];
}

/** The rules of every backend: what the app is told, and which instance a request wants. */
export function appRules(options: Options, files: Files): string[] {
  const hasTrusted = options.trustedProxies.length > 0;
  return [
    // A backend of a HAProxy that is being replaced counts none of its servers, and still has them.
    `${refuse(503, 'no_endpoints', `503 Service Unavailable: Requested route ('${HOST}') has no available endpoints.`)} if { nbsrv eq 0 } !{ stopping }`,
    // There is no other to repeat it at, and the same one has mostly crashed.
    `http-request set-var(txn.once) ${lateAt(options)} if { nbsrv eq 1 } ${OF_APP}`,
    `http-request set-var(txn.once) ${lateAt(options)} unless METH_GET or { method OPTIONS TRACE } or { req.hdr(Idempotency-Key) -m found } { req.hdr_val(content-length) le ${REPEATED_BYTES} }`,
    'http-request disable-l7-retry if { var(txn.once) -m found }',
    // HAProxy answers the 100 itself: no rule sees an endpoint that closes after one of its own.
    'http-request wait-for-body time 24d at-least 1 unless !{ req.hdr(expect) -m found } or !{ req.hdr(content-length) -m found } !{ req.hdr(transfer-encoding) -m found }',
    'http-request set-var(txn.want) req.hdr(X-CF-Process-Instance)',
    'http-request set-var(txn.wantapp) req.hdr(X-CF-App-Instance)',
    'http-request del-header X-CF- -m beg',
    `http-request add-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]${hasTrusted ? ' unless { req.hdr(X-Forwarded-Proto) -m found }' : ''}`,
    'http-request add-header X-Request-Start %[date(0,ms)] unless { req.hdr(X-Request-Start) -m found }',
    'http-request set-header X-Vcap-Request-Id %[unique-id]',
    'http-request add-header X-CF-ApplicationID %[var(txn.route),field(2,|)]',
    `http-request allow unless { req.cook(__VCAP_ID__) -m found } or { var(txn.wantapp) -m found } or { var(txn.want) -m found } or ${SHARED}`,
    ...target(files),
    ...session(options),
    ...appOfShared(files),
    ...beforeFailed(options),
    'http-response set-var(txn.replied) bool(true) if { status ge 400 }',
    ...affinity(options),
    `http-after-response set-status 502 reason "Bad Gateway" if { status 502 503 } ${NOT_REPLIED} !{ res.hdr(X-Cf-RouterError) -m found }`,
    `http-after-response set-header X-Cf-RouterError endpoint_failure if ${NOT_REPLIED} !{ status 408 } !{ res.hdr(X-Cf-RouterError) -m found }`,
  ];
}

/** A request may name the instance it wants, by header or by its session's cookies. */
function target(files: Files): string[] {
  const wanted = '{ var(txn.want) -m found }';
  const guid = '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}';
  const invalid = (header: string, error: string, pattern: string) =>
    `${refuse(400, error, `400 Bad Request: Invalid ${header} header; expected a guid, a colon and an instance index`)} if ${wanted} !{ var(txn.want) -m reg ^${pattern}$ }`;
  return [
    'http-request set-var(txn.want) var(txn.wantapp) if { var(txn.wantapp) -m found }',
    `${invalid('X-CF-App-Instance', 'invalid_cf_app_instance_header', `${guid}:[0-9]+`)} { var(txn.wantapp) -m found }`,
    invalid('X-CF-Process-Instance', 'invalid_cf_process_instance_header', `${guid}(:[0-9]+)?`),
    // A process without an index is any instance of it.
    `http-request set-var(txn.key) var(txn.route),field(2,|) if ${wanted}`,
    `http-request unset-var(txn.want) if ${wanted} { var(txn.want),strcmp(txn.key) eq 0 }`,
    `http-request set-var-fmt(txn.wantkey) "%[var(txn.route),field(1,|)]/%[var(txn.want)]" if ${wanted}`,
    `http-request set-var(txn.srv) var(txn.wantkey),map(${files.instances}) if ${wanted}`,
    `${refuse(400, 'unknown_route', `400 Bad Request: Requested instance ('%[var(txn.want),field(2,:)]') with guid ('%[var(txn.want),field(1,:)]') does not exist for route ('${HOST}')`)} if ${wanted} !{ var(txn.srv) -m found }`,
  ];
}

/** A request that carries both a session cookie and our own goes to the instance that opened the session. */
function session(options: Options): string[] {
  const ours = '{ req.cook(__VCAP_ID__) -m found }';
  const both = options.stickyCookies.map((name) => `${ours} { req.cook(${name}) -m found }`).join(' || ');
  if (!both) return [];
  return [
    `http-request set-var(txn.sticky) req.cook(__VCAP_ID__) if ${both}`,
    'http-request set-var(txn.srv) var(txn.sticky) if { var(txn.sticky) -m found } !{ var(txn.want) -m found }',
  ];
}

/**
 * On a route of several apps the instance is chosen here, since the app is told who it is before HAProxy chooses. One
 * that fails is still replaced by another, which is then told the name of the first.
 */
function appOfShared({ instances }: Files): string[] {
  const backend = '%[var(txn.route),field(1,|)]';
  const own = `set-var-fmt(txn.key) "${backend}/@%[var(txn.srv)]"`;
  const unowned = `${SHARED} !{ var(txn.owner) -m found }`;
  return [
    `http-request ${own} if ${SHARED}`,
    `http-request set-var(txn.owner) var(txn.key),map(${instances}) if ${SHARED}`,
    `http-request set-var(txn.count) var(txn.route),field(2,*) if ${unowned}`,
    `http-request set-var-fmt(txn.key) "${backend}/#%[rand,mod(txn.count)]" if ${unowned}`,
    `http-request set-var(txn.srv) var(txn.key),map(${instances}) if ${unowned}`,
    `http-request ${own} if ${unowned}`,
    `http-request set-var(txn.owner) var(txn.key),map(${instances}) if ${unowned}`,
    `http-request set-header X-CF-ApplicationID %[var(txn.owner)] if ${SHARED}`,
    `http-request del-header X-CF-ApplicationID if ${unowned}`,
  ];
}

/** A response that opens a session names its instance; so does one to a session whose instance is gone. */
function affinity(options: Options): string[] {
  const sticky = options.stickyCookies.map((name) => `{ res.cook(${name}) -m found }`).join(' || ');
  if (!sticky) return [];
  const part = (pattern: string, text: string) =>
    `http-response set-var-fmt(txn.ck) "%[var(txn.ck)]${text}" if { var(txn.ck) -m found } { res.fhdr(set-cookie) -m reg -i ${pattern} }`;
  return [
    'http-response allow unless { res.hdr(set-cookie) -m found } or { var(txn.sticky) -m found }',
    `http-response set-var-fmt(txn.ck) "__VCAP_ID__=%[srv_name]; Path=%[var(txn.route),field(3,|)]; HttpOnly" if ${sticky}`,
    'http-response set-var-fmt(txn.ck) "__VCAP_ID__=%[srv_name]; Path=%[var(txn.route),field(3,|)]; HttpOnly" if { var(txn.sticky) -m found } !{ srv_name,strcmp(txn.sticky) eq 0 }',
    part(';\\s*secure', '; Secure'),
    part(';\\s*samesite=strict', '; SameSite=Strict'),
    part(';\\s*samesite=lax', '; SameSite=Lax'),
    part(';\\s*samesite=none', '; SameSite=None'),
    'http-response add-header Set-Cookie "%[var(txn.ck)]" if { var(txn.ck) -m found } !{ res.cook(__VCAP_ID__) -m found }',
  ];
}
