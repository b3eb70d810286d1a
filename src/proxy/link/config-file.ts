import { nodeCertificateName } from '../../contract/topology.ts';
import type { IncomingLink, LinkPlan, OutgoingLink } from '../../core/link-plan.ts';

export type LinkFiles = {
  /** Certificate, chain and key of this node, PEM. */
  readonly certificate: string;
  readonly ca: string;
  /** Folder of the lists of nodes, one a line. */
  readonly lists: string;
};

export type LinkLimits = {
  readonly hardStopS: number;
  readonly instancePorts: { readonly first: number; readonly last: number };
};

/** HAProxy's configuration for a node's links. Near ends on loopback, far ends at the node's address by mutual TLS. */
export function formatLinkConfig(plan: LinkPlan, files: LinkFiles, limits: LinkLimits): string {
  return [
    '# Written by kato; changes are overwritten.',
    'global',
    '  maxconn 4000',
    `  hard-stop-after ${limits.hardStopS}s`,
    '  ssl-default-bind-options ssl-min-ver TLSv1.2',
    '  ssl-default-server-options ssl-min-ver TLSv1.2',
    'defaults',
    '  timeout connect 3s',
    '  timeout client 1h',
    '  timeout server 1h',
    '  timeout tunnel 24h',
    '  timeout http-request 60s',
    '  timeout check 3s',
    '  option clitcpka',
    '  option srvtcpka',
    // A machine that lost power or network says nothing: what waits for it ends after 15 s, not after two hours.
    ...['cli', 'srv'].flatMap((side) => [`  ${side}tcpka-idle 6s`, `  ${side}tcpka-intvl 3s`, `  ${side}tcpka-cnt 3`]),
    ...plan.incoming.flatMap((link) => incoming(link, plan.address, { files, limits })),
    ...plan.outgoing.flatMap((link) => outgoing(link, files)),
    '',
  ].join('\n');
}

/** Name of the list of nodes that may use a link. */
export function listName(link: Pick<IncomingLink, 'name'>): string {
  return `${link.name}.nodes`;
}

function incoming(
  link: IncomingLink,
  address: string,
  { files, limits }: { files: LinkFiles; limits: LinkLimits },
): string[] {
  const verified = link.tls === 'nodes' ? ` ca-file ${quoted(files.ca)} verify required` : '';
  const tls = link.tls === 'none' ? '' : ` ssl crt ${quoted(files.certificate)}${verified}`;
  const isKnown = `{ ssl_c_s_dn(cn) -m str -f ${quoted(`${files.lists}/${listName(link)}`)} }`;
  return [
    `frontend in_${link.name}`,
    `  mode ${link.mode}`,
    `  bind ${address}:${link.port}${tls}`,
    // Refused before anything was said, a request of any kind is sent to another node; broken off later, only some are.
    ...(link.isShared ? [`  tcp-request connection reject if { nbsrv(to_${link.name}) eq 0 }`] : []),
    ...(link.tls === 'nodes' ? [`  tcp-request session reject unless ${isKnown}`] : []),
    ...(link.to === 'instances' ? towardsInstance(address, limits) : []),
    ...(link.mode === 'http' ? identified(link) : []),
    `  default_backend to_${link.name}`,
    `backend to_${link.name}`,
    `  mode ${link.mode}`,
    `  server local ${serverOf(link.to)}${link.isShared ? ' check inter 250ms fall 1 rise 1' : ''}`,
  ];
}

function serverOf(to: string): string {
  if (to === 'instances') return '0.0.0.0:0';
  return to.startsWith('/') ? `unix@${to}` : to;
}

/** A router may reach the ports of instances and nothing else of the node. */
function towardsInstance(address: string, { instancePorts }: LinkLimits): string[] {
  return [
    '  tcp-request content set-var(sess.port) ssl_fc_sni,field(1,.),bytes(1)',
    `  tcp-request content reject unless { var(sess.port) -m int ${instancePorts.first}:${instancePorts.last} }`,
    `  tcp-request content set-dst str(${address})`,
    '  tcp-request content set-dst-port var(sess.port)',
  ];
}

function identified(link: IncomingLink): string[] {
  if (link.tls === 'nodes') return ['  http-request set-header X-Node %[ssl_c_s_dn(cn)]'];
  return [
    '  http-request del-header X-Node',
    '  http-request set-header X-Joining %[src]',
    '  http-request deny deny_status 404 unless { path /v1/join }',
    '  stick-table type ip size 10k expire 60s store http_req_rate(60s)',
    '  http-request track-sc0 src',
    '  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 60 }',
  ];
}

function outgoing(link: OutgoingLink, files: LinkFiles): string[] {
  return [
    `listen out_${link.name}`,
    `  mode ${link.mode}`,
    `  bind ${link.bind.startsWith('/') ? `unix@${link.bind} mode 600` : link.bind}`,
    '  balance roundrobin',
    '  option redispatch 1',
    '  retries 3',
    ...(link.mode === 'http'
      ? ['  retry-on conn-failure empty-response', '  http-request disable-l7-retry unless METH_GET or METH_HEAD']
      : []),
    ...(link.checkPath === undefined
      ? []
      : [`  option httpchk GET ${link.checkPath}`, '  http-check expect rstatus ^[1-4]']),
    ...link.servers.map((server) => {
      const name = nodeCertificateName(server.id);
      const tls = `ssl verify required ca-file ${quoted(files.ca)} crt ${quoted(files.certificate)} sni str(${name}) verifyhost ${name} check-sni ${name}`;
      const to = server.isLocal ? serverOf(server.host) : `${server.host}:${server.port}`;
      // Taken for well until found otherwise: a link that has just come up must not refuse.
      const check = link.servers.length > 1 ? 'check inter 1s fall 2 rise 1 ' : '';
      // Requests that wait for a node that vanished end, and are repeated elsewhere where that is safe.
      const cut = check === '' || server.isLocal ? '' : 'on-marked-down shutdown-sessions ';
      return `  server ${server.isLocal ? 'local' : `n${server.id.slice(0, 12)}`} ${to} ${check}${cut}${link.tls && !server.isLocal ? tls : ''}`.trimEnd();
    }),
  ];
}

function quoted(path: string): string {
  if (/["\\\n$]/.test(path)) throw new Error(`a path in HAProxy's configuration can't hold ${JSON.stringify(path)}`);
  return `"${path}"`;
}
