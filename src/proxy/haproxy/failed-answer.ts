/**
 * A 502 for an endpoint that closes its connection without an answer. HAProxy itself gives one to the first request of
 * a client's connection only, and just closes on later ones and on those of HTTP/2: its clients shall repeat them,
 * whatever they did to the endpoint.
 */

export const FAILED = '502 Bad Gateway: Registered endpoint failed to handle the request.\n';

/** HAProxy tries an endpoint that refuses a connection, or closes it without an answer, so many times more. */
export const RETRIES = 2;

/** Is the route an app's? An endpoint of the platform itself may be several, behind a link to other nodes. */
export const OF_APP = '!{ var(txn.route) -m sub || }';

/** What HAProxy loads: the action that answers. */
export const FAILED_SCRIPT = `core.register_action('fail', { 'tcp-res' }, function(txn)
  txn:done(txn:reply {
    status = 502,
    reason = 'Bad Gateway',
    headers = {
      ['content-type'] = { 'text/plain; charset=utf-8' },
      ['x-content-type-options'] = { 'nosniff' },
    },
    body = ${JSON.stringify(FAILED)},
  })
end)
`;

/** The moment, in ms, from which a silent endpoint is HAProxy's own matter: it ends the wait with a 504. */
export const lateAt = ({ requestTimeoutS }: { readonly requestTimeoutS: number }): string =>
  `date(0,ms),add(${requestTimeoutS * 1000 - 50})`;

/**
 * HAProxy repeats what may be repeated, as often as it may, before `failedRules`; `txn.once` says until when those wait
 * for what may not. A connection that is refused after such a repetition it answers by closing as well, so no endpoint
 * of an app is asked twice.
 */
export function beforeFailed(options: { readonly requestTimeoutS: number }): string[] {
  const repeatable = '!{ var(txn.once) -m found }';
  return [
    `tcp-response content set-var-fmt(txn.retries) %rc if ${repeatable}`,
    `tcp-response content accept unless { var(txn.once) -m found } or { var(txn.retries) -m end ${RETRIES} } or { var(txn.retries) -m end 1 } { nbsrv le 2 } ${OF_APP}`,
    `tcp-response content set-var(txn.once) ${lateAt(options)} if ${repeatable}`,
  ];
}

/** In each backend: HAProxy waits in a backend's own rules only. */
export const failedRules: readonly string[] = [
  'tcp-response inspect-delay 24d',
  'tcp-response content accept if { status gt 0 }',
  'tcp-response content accept if { date(0,ms),sub(txn.once) ge 0 }',
  'tcp-response content lua.fail',
];
