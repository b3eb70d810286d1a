import { stat } from 'node:fs/promises';
import { Balancer } from '../balancer/balancer.ts';
import { Nginx } from '../balancer/nginx/nginx.ts';
import { componentPart } from '../bus/component.ts';
import type { Boot } from '../platform/config.ts';
import { isMissing } from '../platform/files.ts';
import { part } from '../platform/lifecycle.ts';
import { TopologyFile } from '../platform/topology-file.ts';
import type { Role } from './role.ts';

/** One entrance for the cluster: requests go to every router in turn. */
export const loadBalancer: Role = async (boot, bus) => {
  const topology = await TopologyFile.open(boot.paths.topologyFile, 'router', boot);
  const balancer = await buildBalancer(boot, topology);
  return [
    part('load balancer', async () => {
      await balancer.start();
      return async () => {
        topology[Symbol.dispose]();
        await balancer.stop(boot.stop.reason === 'SIGUSR2');
      };
    }),
    componentPart({
      type: 'LoadBalancer',
      bus,
      boot,
      varz: () => balancer.varz(),
      unwell: () => balancer.unwell(),
    }),
  ];
};

async function buildBalancer(boot: Boot, topology: TopologyFile): Promise<Balancer> {
  const { config, paths, log, clock } = boot;
  const { balancer, cluster, router } = config;
  const { httpPort, httpsPort, minTlsVersion, workers, maxConnections, idleS, connectTimeoutMs, drainMs } = balancer;
  const authority = { routerName: cluster.domain, routerAuthority: paths.caCertificate };
  const nginx = new Nginx(
    {
      directory: paths.balancer,
      httpPort,
      httpsPort,
      defaultCertificate: await defaultCertificate(boot),
      certificates: paths.balancerCertificates,
      minTlsVersion,
      ...authority,
      workers,
      maxConnections,
      idleS,
      connectTimeoutMs,
      drainMs,
      user: 'www-data',
    },
    boot,
  );
  const { checkMs, checkTimeoutMs } = balancer;
  const { routers: only } = boot.node;
  const routers = () => topology.nodes().filter(({ address }) => only?.includes(address) ?? true);
  const list = { routers, onChange: (listener: () => void) => topology.onChange(listener) };
  return new Balancer({ nginx, list, log, clock, routerPort: router.httpsPort, ...authority, checkMs, checkTimeoutMs });
}

/** Its own certificate; without one, that of the routers, which is for the same names. */
async function defaultCertificate({ paths }: Boot): Promise<string> {
  try {
    await stat(paths.balancerCertificate);
    return paths.balancerCertificate;
  } catch (error) {
    if (isMissing(error)) return paths.routerCertificate;
    throw error;
  }
}
