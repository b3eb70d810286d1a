import { systemHosts } from '../../contract/hosts.ts';
import { apiVersion, platformVersion } from '../../contract/version.ts';
import { originOf } from '../api/base-url.ts';
import { ok } from '../api/reply.ts';
import { type ApiRequest, type Route, route } from '../api/route.ts';
import { presentRoot, presentV3Root } from '../present/root.ts';

const osbApiVersion = '2.15';

/** The documents with which a client begins. */
export const rootRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/',
    summary: 'Tell where everything is',
    permission: { kind: 'public' },
    handler: async (request) => ok(rootDocument(request)),
  }),
  route({
    method: 'GET',
    path: '/v3',
    summary: 'List the collections',
    permission: { kind: 'public' },
    handler: async ({ baseUrl }) => ok(presentV3Root(baseUrl)),
  }),
  route({
    method: 'GET',
    path: '/v3/info',
    summary: 'Tell name and version',
    permission: { kind: 'public' },
    handler: async ({ controller, baseUrl }) =>
      ok({
        name: controller.config.cluster.name,
        build: platformVersion,
        version: Number(platformVersion.split('.')[0]),
        description: 'Stackato',
        osbapi_version: osbApiVersion,
        cli_version: { minimum: null, recommended: null },
        custom: {},
        rate_limits: { enabled: false, general_limit: null, reset_interval_in_minutes: null },
        links: { self: { href: `${baseUrl}/v3/info` }, support: { href: '' } },
      }),
  }),
  route({
    method: 'GET',
    path: '/v2/info',
    summary: 'Tell older clients where to log in',
    permission: { kind: 'public' },
    handler: async (request) => ok(presentV2Info(request)),
  }),
];

function rootDocument(request: Pick<ApiRequest, 'controller' | 'raw'>) {
  const { domain } = request.controller.config.cluster;
  const origin = originOf(request.raw.headers, domain);
  return presentRoot({ origin, hosts: systemHosts(domain), sshFingerprint: '' });
}

function presentV2Info({ controller, raw }: Pick<ApiRequest, 'controller' | 'raw'>) {
  const { cluster } = controller.config;
  const hosts = systemHosts(cluster.domain);
  const { scheme, port, origin } = originOf(raw.headers, cluster.domain);
  const at = (host: string) => `${scheme}://${host}${port}`;
  return {
    name: cluster.name,
    build: platformVersion,
    support: '',
    version: Number(platformVersion.split('.')[0]),
    description: 'Stackato',
    authorization_endpoint: at(hosts.login),
    token_endpoint: at(hosts.uaa),
    min_cli_version: null,
    min_recommended_cli_version: null,
    api_version: apiVersion,
    osbapi_version: osbApiVersion,
    app_ssh_endpoint: `${hosts.ssh}:2222`,
    app_ssh_host_key_fingerprint: '',
    app_ssh_oauth_client: 'ssh-proxy',
    doppler_logging_endpoint: `${scheme === 'https' ? 'wss' : 'ws'}://${hosts.doppler}${port}`,
    routing_endpoint: `${origin}/routing`,
  };
}
