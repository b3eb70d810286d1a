import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Bus } from '../bus/bus.ts';
import { componentPart } from '../bus/component.ts';
import type { Boot } from '../platform/config.ts';
import { isMissing } from '../platform/files.ts';
import { part } from '../platform/lifecycle.ts';
import type { Paths } from '../platform/paths.ts';
import { TopologyFile } from '../platform/topology-file.ts';
import { Haproxy } from '../proxy/haproxy/haproxy.ts';
import type { EndpointTls } from '../proxy/haproxy/server.ts';
import { Router } from '../router/router.ts';
import type { Role } from './role.ts';

export const router: Role = async (boot, bus) => {
  const balancers = await TopologyFile.open(boot.paths.topologyFile, 'load_balancer', boot);
  const trusted = () => [...boot.config.router.trustedProxies, ...balancers.nodes().map(({ address }) => address)];
  const proxy = await buildProxy(boot, trusted());
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
    componentPart({ type: 'Router', bus, boot, varz: () => control.varz(), unwell: () => control.unwell() }),
  ];
};

async function buildProxy(boot: Boot, trustedProxies: readonly string[]): Promise<Haproxy> {
  const { router: config } = boot.config;
  const endpointTls = endpointTlsOf(boot);
  const isRoot = process.getuid?.() === 0;
  return new Haproxy(
    {
      directory: boot.paths.router,
      httpPort: config.httpPort,
      httpsPort: config.httpsPort,
      certificates: await certificates(boot.paths),
      minTlsVersion: config.minTlsVersion,
      threads: config.threads,
      maxConnections: config.maxConnections,
      backends: config.backends,
      requestTimeoutS: config.requestTimeoutS,
      tunnelTimeoutS: config.tunnelTimeoutS,
      drainMs: config.drainMs,
      trustedProxies,
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

/** The default certificate and those added beside it. */
async function certificates({ routerCertificate, routerCertificates }: Paths): Promise<string[]> {
  try {
    const names = (await readdir(routerCertificates)).filter((name) => name.endsWith('.pem')).sort();
    return [routerCertificate, ...names.map((name) => join(routerCertificates, name))];
  } catch (error) {
    if (isMissing(error)) return [routerCertificate];
    throw error;
  }
}
