import type { ClusterConfig } from '../contract/config.ts';
import { linkHost, nodeCertificateName, type Topology, type TopologyNode } from '../contract/topology.ts';

/** The far end of a link: what this node gives to others. */
export type IncomingLink = {
  readonly name: string;
  readonly port: number;
  /** `nodes`: only these nodes, by certificate. `open`: TLS for anybody. `none`: the service has TLS of its own. */
  readonly tls: 'nodes' | 'open' | 'none';
  readonly allowed: readonly string[];
  /** `host:port` or the path of a socket; `instances`: the port that the asked-for name carries. */
  readonly to: string;
  /** HTTP when the service must be told who asks. */
  readonly mode: 'tcp' | 'http';
  /** Other nodes give it too: who is refused here goes there. */
  readonly isShared?: boolean;
};

/** The near end of a link: what this node gets from others, on loopback. */
export type OutgoingLink = {
  readonly name: string;
  /** `host:port` or the path of a socket that only the links' account and root reach. */
  readonly bind: string;
  readonly tls: boolean;
  readonly mode: 'tcp' | 'http';
  /** `path` answers below 500 while the service behind the link is well. */
  readonly checkPath?: string;
  readonly servers: readonly {
    readonly id: string;
    readonly host: string;
    readonly port: number;
    readonly isLocal: boolean;
  }[];
};

export type LinkPlan = {
  readonly address: string;
  readonly incoming: readonly IncomingLink[];
  readonly outgoing: readonly OutgoingLink[];
};

/** Sockets of the services that have no port of their own. */
export type LinkSockets = { readonly registry: string; readonly registryLink: string; readonly database: string };

type Service = {
  readonly name: string;
  readonly provider: string;
  /** Roles whose nodes may use it; none = every node. */
  readonly consumers?: readonly string[];
  readonly port: number;
  readonly to: string;
  readonly tls: 'nodes' | 'none';
  readonly mode: 'tcp' | 'http';
  readonly checkPath?: string;
  /** The near end, when it is not the same port on loopback. Such a service is not linked to its own node. */
  readonly bind?: string;
};

function services(config: ClusterConfig, sockets: LinkSockets): Service[] {
  const http = (name: string, port: number, rest: Partial<Service> = {}): Service => ({
    ...{ name, provider: 'controller', port, to: `127.0.0.1:${port}`, tls: 'nodes', mode: 'http' },
    ...rest,
  });
  return [
    {
      name: 'bus',
      provider: 'primary',
      port: config.bus.port,
      to: `127.0.0.1:${config.bus.port}`,
      tls: 'none',
      mode: 'tcp',
    },
    http('registry', config.link.registryPort, {
      provider: 'primary',
      to: sockets.registry,
      bind: sockets.registryLink,
    }),
    {
      ...{ name: 'database', provider: 'primary', consumers: ['controller'], port: config.link.databasePort },
      ...{ to: sockets.database, tls: 'nodes', mode: 'tcp' },
    },
    http('controller', config.controller.port, { checkPath: '/' }),
    http('aok', config.aok.port, { consumers: ['router', 'controller'], checkPath: '/login' }),
    http('logyard', config.logyard.port, { consumers: ['router', 'controller'], checkPath: '/api/v1/info' }),
  ];
}

/**
 * The links of one node: mutual TLS between nodes, plain loopback on both sides. What a node gives follows from its own
 * roles; who may take it, from the roles of the others.
 *
 * @throws when the topology does not list this node
 */
export function planLinks(
  topology: Topology,
  nodeId: string,
  { config, sockets }: { config: ClusterConfig; sockets: LinkSockets },
): LinkPlan {
  const self = topology.nodes.find(({ id }) => id === nodeId);
  if (self === undefined) throw new Error(`the cluster's topology does not list node ${nodeId}`);
  const all = services(config, sockets);
  const given = all.filter(({ provider }) => self.roles.includes(provider));
  const incoming: IncomingLink[] = given.map((service) => ({
    ...{ name: service.name, port: service.port, tls: service.tls, to: service.to },
    mode: service.name === 'registry' ? 'http' : 'tcp',
    allowed: consumersOf(service, topology),
    ...(hasOthers(service, topology) ? { isShared: true } : {}),
  }));
  if (self.roles.includes('primary')) {
    const join = { name: 'join', port: config.link.joinPort, tls: 'open', allowed: [], to: sockets.registry } as const;
    incoming.push({ ...join, mode: 'http' });
  }
  if (self.roles.includes('dea')) {
    const allowed = topology.nodes.filter(({ roles }) => roles.includes('router')).map(({ id }) => id);
    const port = config.link.instancePort;
    incoming.push({ name: 'instances', port, tls: 'nodes', allowed, to: 'instances', mode: 'tcp' });
  }
  return {
    address: self.address,
    incoming,
    outgoing: all.filter((service) => mayUse(service, self)).flatMap((service) => outgoing(service, self, topology)),
  };
}

function outgoing(service: Service, self: TopologyNode, topology: Topology): OutgoingLink[] {
  const providers = topology.nodes.filter(({ roles }) => roles.includes(service.provider));
  const servers = providers.map((node) => {
    const isLocal = node.id === self.id;
    return { id: node.id, host: isLocal ? service.to : node.address, port: service.port, isLocal };
  });
  if (servers.length === 0) return [];
  const { name, port, mode, checkPath, bind = `${linkHost}:${port}` } = service;
  if (service.bind !== undefined && servers.some(({ isLocal }) => isLocal)) return [];
  return [
    { name, bind, mode, tls: service.tls === 'nodes', servers, ...(checkPath === undefined ? {} : { checkPath }) },
  ];
}

function hasOthers({ provider }: Service, { nodes }: Topology): boolean {
  return nodes.filter(({ roles }) => roles.includes(provider)).length > 1;
}

function consumersOf(service: Service, { nodes }: Topology): string[] {
  return nodes.filter((node) => mayUse(service, node)).map(({ id }) => id);
}

function mayUse({ consumers }: Service, { roles }: TopologyNode): boolean {
  return consumers === undefined || consumers.some((role) => roles.includes(role));
}

/**
 * The name under which a router asks a DEA's link for the instance behind a host port. The DEA's certificate covers it,
 * so that an address that another node took over is refused.
 */
export function instanceLinkName(nodeId: string, hostPort: number): string {
  return `p${hostPort}.${nodeCertificateName(nodeId)}`;
}
