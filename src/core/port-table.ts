import type { ClusterConfig } from '../contract/config.ts';
import { linkHost } from '../contract/topology.ts';

/** Who may come to a port: anybody, nodes with one of these roles (`nodes`: all of the cluster), or this machine alone. */
export type PortAudience = 'anybody' | 'nodes' | 'this machine' | readonly string[];

/** One thing that listens, on nodes with its role. */
export type PortUse = {
  readonly name: string;
  readonly role: string;
  /** Programs that hold it, as the kernel names their commands; none: the kernel itself. */
  readonly programs: readonly string[];
  readonly protocol: 'tcp' | 'udp';
  readonly first: number;
  readonly last: number;
  /** `all`: every address of the node; `node`: the one by which other nodes reach it; `local`: 127.0.0.1; `link`: 127.0.0.2. */
  readonly address: 'all' | 'node' | 'local' | 'link';
  readonly audience: PortAudience;
  /** Only there on a micro cloud, or only in a cluster. */
  readonly topology?: 'micro' | 'cluster';
  /** The platform takes any port that is free of this range. */
  readonly isAnyOf?: boolean;
  readonly what: string;
};

/** First and last port that Linux gives to programs that ask for any. */
const EPHEMERAL = { first: 32_768, last: 60_999 };

type Row = Omit<PortUse, 'first' | 'last' | 'protocol'> & { readonly port: number; readonly last?: number };

const tcp = ({ port, last = port, ...row }: Row): PortUse => ({ ...row, protocol: 'tcp', first: port, last });

/** Everything that listens on any node of any topology, with the ports of this configuration. */
export function portTable(config: ClusterConfig): PortUse[] {
  return [...publicPorts(config), ...clusterPorts(config), ...localPorts(config), ...linkPorts(config)];
}

function publicPorts({ router, balancer }: ClusterConfig): PortUse[] {
  const common = { address: 'all', audience: 'anybody' } as const;
  const ours = { ...common, role: 'router', programs: ['haproxy'] };
  const theirs = { ...common, role: 'load_balancer', programs: ['nginx'] };
  return [
    tcp({ ...ours, name: 'http', port: router.httpPort, what: 'requests to apps, API and console' }),
    tcp({ ...ours, name: 'https', port: router.httpsPort, what: 'the same with TLS' }),
    tcp({ ...theirs, name: 'http', port: balancer.httpPort, what: 'requests, handed to the routers' }),
    tcp({ ...theirs, name: 'https', port: balancer.httpsPort, what: 'the same with TLS' }),
    {
      ...{ name: 'mdns', role: 'mdns', programs: ['node'], protocol: 'udp', first: 5353, last: 5353, ...common },
      ...{ topology: 'micro', what: 'host names on the local network' },
    },
  ];
}

function clusterPorts({ bus, link, controller, aok, logyard, dea }: ClusterConfig): PortUse[] {
  const far = { programs: ['haproxy'], address: 'node', topology: 'cluster' } as const;
  const primary = { ...far, role: 'primary' };
  const api = { ...far, role: 'controller' };
  const front = ['router', 'controller'];
  return [
    tcp({ ...primary, name: 'bus', port: bus.port, audience: 'nodes', what: 'NATS; TLS, a password for each process' }),
    tcp({
      ...primary,
      name: 'registry',
      port: link.registryPort,
      audience: 'nodes',
      what: 'node registry; mutual TLS',
    }),
    tcp({ ...primary, name: 'join', port: link.joinPort, audience: 'anybody', what: 'machines join; TLS, a token' }),
    tcp({
      ...{ ...primary, name: 'database', port: link.databasePort, audience: ['controller'] },
      what: 'control database; mutual TLS',
    }),
    tcp({ ...api, name: 'controller', port: controller.port, audience: 'nodes', what: 'API; mutual TLS' }),
    tcp({ ...api, name: 'aok', port: aok.port, audience: front, what: 'login server; mutual TLS' }),
    tcp({ ...api, name: 'logyard', port: logyard.port, audience: front, what: 'recent logs; mutual TLS' }),
    tcp({
      ...{ ...far, role: 'dea', name: 'instances', port: link.instancePort, audience: ['router'] },
      what: 'app instances; mutual TLS',
    }),
    tcp({
      ...{ name: 'host ports', role: 'dea', programs: [], address: 'all', audience: 'this machine' },
      ...{ port: dea.hostPortFirst, last: dea.hostPortLast, isAnyOf: true },
      what: 'app instances, by a rule of the kernel that is for the machine alone',
    }),
  ];
}

function localPorts({ bus, controller, aok, logyard, primary }: ClusterConfig): PortUse[] {
  const local = { programs: ['node'], address: 'local', audience: 'this machine' } as const;
  const api = { ...local, role: 'controller' };
  return [
    tcp({ ...local, name: 'bus', role: 'primary', programs: ['nats-server'], port: bus.port, what: 'NATS itself' }),
    tcp({ ...api, name: 'controller', port: controller.port, what: 'API and console' }),
    tcp({ ...api, name: 'aok', port: aok.port, what: 'login server' }),
    tcp({ ...api, name: 'logyard', port: logyard.port, what: 'recent logs' }),
    tcp({
      ...{ ...local, name: 'supervisord', role: 'base', programs: ['supervisord'], port: primary.supervisorPort },
      what: 'process supervision; a password',
    }),
    tcp({
      ...{ ...local, name: 'status', role: 'base', port: EPHEMERAL.first, last: EPHEMERAL.last, isAnyOf: true },
      what: 'one for each process: `/healthz`, `/varz`, `/metrics`, a password; one for the access lines of HAProxy',
    }),
  ];
}

/** Near ends of the links, on each node of a cluster that has somebody to reach. */
function linkPorts({ bus, link, controller, aok, logyard }: ClusterConfig): PortUse[] {
  const near = {
    role: 'base',
    programs: ['haproxy'],
    address: 'link',
    audience: 'this machine',
    topology: 'cluster',
  } as const;
  return [
    tcp({ ...near, name: 'bus', port: bus.port, what: 'way to the bus' }),
    tcp({
      ...near,
      name: 'database',
      role: 'controller',
      port: link.databasePort,
      what: 'way to the control database',
    }),
    tcp({ ...near, name: 'controller', port: controller.port, what: 'way to the API' }),
    tcp({ ...near, name: 'aok', port: aok.port, what: 'way to the login server' }),
    tcp({ ...near, name: 'logyard', port: logyard.port, what: 'way to recent logs' }),
  ];
}

export type PortHolder = { readonly roles: readonly string[]; readonly isMicro?: boolean | undefined };

/** What listens on one node. */
export function portsOf(node: PortHolder, config: ClusterConfig): PortUse[] {
  const topology = node.isMicro ? 'micro' : 'cluster';
  return portTable(config).filter(
    (use) => node.roles.includes(use.role) && (use.topology === undefined || use.topology === topology),
  );
}

/** A socket that listens. */
export type Listener = {
  readonly protocol: 'tcp' | 'udp';
  /** As `ss` writes it: `0.0.0.0`, `[::]`, `*`, `127.0.0.1`. */
  readonly address: string;
  readonly port: number;
  readonly pid: number;
  /** Name of the program, as its command line has it. */
  readonly program: string;
};

/** The row that allows this socket on a node with these ports, or undefined. */
export function findPortUse(listener: Listener, uses: readonly PortUse[], nodeAddress: string): PortUse | undefined {
  return uses.find(
    (use) =>
      use.protocol === listener.protocol &&
      listener.port >= use.first &&
      listener.port <= use.last &&
      use.programs.includes(listener.program) &&
      coversAddress(use.address, listener.address, nodeAddress),
  );
}

function coversAddress(allowed: PortUse['address'], address: string, nodeAddress: string): boolean {
  // An address may carry the device that it is bound to.
  const bare = address.replace(/%.*$/, '').replace(/^\[|\]$/g, '');
  if (allowed === 'all') return true;
  return bare === { node: nodeAddress, local: '127.0.0.1', link: linkHost }[allowed];
}
