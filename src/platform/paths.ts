import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Root of the source tree this process runs from. */
export const sourceRoot = fileURLToPath(new URL('../..', import.meta.url));

/** Where everything of one node lives, below its state folder. */
export type Paths = ReturnType<typeof pathsOf>;

/** The layout of a node's state folder. */
export function pathsOf(state: string) {
  const at = (...parts: string[]) => join(state, ...parts);
  return {
    state,
    nodeFile: at('node.json'),
    clusterFile: at('cluster.json'),
    topologyFile: at('topology.json'),
    /** Administrators' own groups of roles. */
    roleGroupsFile: at('role_groups.yml'),
    /** What the operator asked of the node's firewall; none: it is off. */
    firewallFile: at('firewall.json'),
    /** Configuration of the links to the other nodes of a cluster. */
    link: at('link'),
    /** Where the primary's node registry listens. */
    registrySocket: at('run', 'registry', 'registry.sock'),
    /** Where another node reaches it, over its link. */
    registryLinkSocket: at('run', 'registry', 'link.sock'),
    credentials: (process: string) => at('credentials', `${process}.json`),
    tls: at('tls'),
    caCertificate: at('tls', 'ca.pem'),
    caKey: at('tls', 'ca.key'),
    /** This node's certificate, chain and key, by which nodes of a cluster know each other. */
    nodeCertificate: at('tls', 'node.pem'),
    /** The routers' certificate: certificate, chain and key in one file. */
    routerCertificate: at('tls/router.pem'),
    /** More of them, any `*.pem`, chosen by the name the client asks for. */
    routerCertificates: at('tls/router.d'),
    /** The load balancer's: as the routers', in one file each. */
    balancerCertificate: at('tls/balancer.pem'),
    balancerCertificates: at('tls/balancer.d'),
    run: at('run'),
    /** Files on their way; nothing in it outlives the process it belongs to. */
    scratch: at('scratch'),
    log: at('log'),
    setup: at('setup'),
    /** How the last backup of the control database went. */
    backupStatus: at('setup', 'backup.json'),
    backups: at('backups'),
    upgrade: at('upgrade'),
    /** The release that the cluster is being upgraded to; nodes fetch it from the Core. */
    release: at('upgrade', 'release.tar.gz'),
    /** How far that is. */
    upgradeFile: at('upgrade', 'upgrade.json'),
    supervisor: at('supervisor'),
    nats: at('nats'),
    postgresql: at('postgresql'),
    blobs: at('blobs'),
    fence: at('fence'),
    router: at('router'),
    balancer: at('balancer'),
    logyard: at('logyard'),
    dea: at('dea'),
    stager: at('stager'),
    console: at('console'),
  } as const;
}
