import type { Bus } from '../bus/bus.ts';
import { componentPart } from '../bus/component.ts';
import { CertificateFolder } from '../platform/certificate-folder.ts';
import type { Boot } from '../platform/config.ts';
import { part } from '../platform/lifecycle.ts';
import { TopologyFile } from '../platform/topology-file.ts';
import { Haproxy } from '../proxy/haproxy/haproxy.ts';
import type { EndpointTls } from '../proxy/haproxy/server.ts';
import { Router } from '../router/router.ts';
import type { Role } from './role.ts';

export const router: Role = async (boot, bus) => {
  const balancers = await TopologyFile.open(boot.paths.topologyFile, 'load_balancer', boot);
  const trusted = () => [...boot.config.router.trustedProxies, ...balancers.nodes().map(({ address }) => address)];
  const certificates = await CertificateFolder.open(boot.paths, boot);
  const proxy = buildProxy(boot, { trustedProxies: trusted(), certificates: certificates.paths() });
  const control = buildRouter(boot, bus, proxy);
  return [
    part('router', async () => {
      await control.start();
      return () => control.stop(boot.stop.reason === 'SIGUSR2');
    }),
    part('trust in balancers', () => {
      const subscription = balancers.onChange(() => void proxy.trust(trusted()));
      return () => {
        subscription[Symbol.dispose]();
        balancers[Symbol.dispose]();
      };
    }),
    part('certificates', () => {
      const subscription = certificates.onChange((paths) => void proxy.certify(paths));
      return () => {
        subscription[Symbol.dispose]();
        certificates[Symbol.dispose]();
      };
    }),
    componentPart({ type: 'Router', bus, boot, varz: () => control.varz(), unwell: () => control.unwell() }),
  ];
};

function buildProxy(
  boot: Boot,
  outside: { trustedProxies: readonly string[]; certificates: readonly string[] },
): Haproxy {
  const { router: config } = boot.config;
  const endpointTls = endpointTlsOf(boot);
  const isRoot = process.getuid?.() === 0;
  return new Haproxy(
    {
      directory: boot.paths.router,
      httpPort: config.httpPort,
      httpsPort: config.httpsPort,
      minTlsVersion: config.minTlsVersion,
      threads: config.threads,
      maxConnections: config.maxConnections,
      backends: config.backends,
      requestTimeoutS: config.requestTimeoutS,
      tunnelTimeoutS: config.tunnelTimeoutS,
      drainMs: config.drainMs,
      ...outside,
      stickyCookies: config.stickyCookies,
      ...(isRoot ? { user: 'haproxy' } : {}),
      ...(endpointTls ? { endpointTls } : {}),
    },
    boot,
  );
}

function buildRouter(boot: Boot, bus: Bus, proxy: Haproxy): Router {
  const { registerS, pruneS, startDelayMs } = boot.config.router;
  const id = `${boot.node.index}-${boot.node.id}`;
  const { address, roles } = boot.node;
  const hasEndpointTls = endpointTlsOf(boot) !== undefined;
  const awaitedDeas = roles.includes('dea') ? [boot.node.id] : [];
  return new Router({ ...boot, bus, proxy, id, address, registerS, pruneS, startDelayMs, awaitedDeas, hasEndpointTls });
}

/** In a cluster, nodes know each other by their own certificates unless the operator says otherwise. */
function endpointTlsOf({ config, node, paths }: Boot): EndpointTls | undefined {
  const { endpointCaFile: caFile, endpointCertificate: certificate } = config.router;
  if (caFile) return { caFile, ...(certificate ? { certificate } : {}) };
  return node.isMicro ? undefined : { caFile: paths.caCertificate, certificate: paths.nodeCertificate };
}
