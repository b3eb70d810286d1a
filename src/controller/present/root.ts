import { apiVersion } from '../../contract/version.ts';
import type { Origin } from '../api/base-url.ts';

const COLLECTIONS = [
  'app_usage_events',
  'apps',
  'audit_events',
  'buildpacks',
  'builds',
  'deployments',
  'domains',
  'droplets',
  'environment_variable_groups',
  'feature_flags',
  'info',
  'isolation_segments',
  'organizations',
  'organization_quotas',
  'packages',
  'processes',
  'resource_matches',
  'roles',
  'routes',
  'security_groups',
  'service_brokers',
  'service_instances',
  'service_offerings',
  'service_plans',
  'service_usage_events',
  'spaces',
  'space_quotas',
  'stacks',
  'tasks',
  'users',
];

type Where = {
  readonly origin: Origin;
  readonly hosts: Readonly<Record<string, string>>;
  readonly sshFingerprint: string;
};

/** `GET /`: where everything is. */
export function presentRoot({ origin, hosts, sshFingerprint }: Where) {
  const base = origin.origin;
  const at = (host: string | undefined) => `${origin.scheme}://${host}${origin.port}`;
  const websocket = origin.scheme === 'https' ? 'wss' : 'ws';
  const port = origin.port || (origin.scheme === 'https' ? ':443' : ':80');
  return {
    links: {
      self: { href: base },
      cloud_controller_v2: null,
      cloud_controller_v3: { href: `${base}/v3`, meta: { version: apiVersion } },
      network_policy_v0: { href: `${base}/networking/v0/external` },
      network_policy_v1: { href: `${base}/networking/v1/external` },
      login: { href: at(hosts.login) },
      uaa: { href: at(hosts.uaa) },
      credhub: null,
      routing: { href: `${base}/routing` },
      logging: { href: `${websocket}://${hosts.doppler}${port}` },
      log_cache: { href: at(hosts.logCache) },
      log_stream: { href: at(hosts.logStream) },
      app_ssh: {
        href: `${hosts.ssh}:2222`,
        meta: { host_key_fingerprint: sshFingerprint, oauth_client: 'ssh-proxy' },
      },
    },
  };
}

/** `GET /v3`: the collections. */
export function presentV3Root(base: string) {
  const links = Object.fromEntries(COLLECTIONS.map((name) => [name, { href: `${base}/v3/${name}` }]));
  return { links: { self: { href: `${base}/v3` }, ...links } };
}
