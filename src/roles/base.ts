import { BackupKeeper } from '../base/backup-keeper.ts';
import { CommandRunner } from '../base/command-runner.ts';
import { HostsKeeper } from '../base/hosts-keeper.ts';
import { LogShipper } from '../base/log-shipper.ts';
import { NodeFollower } from '../base/node-follower.ts';
import { NodeReporter } from '../base/node-reporter.ts';
import { PrimaryCopy } from '../base/primary-copy.ts';
import type { Bus } from '../bus/bus.ts';
import { componentPart } from '../bus/component.ts';
import { fenceDevices } from '../container/fence/fence.ts';
import { ClusterConfig } from '../contract/config.ts';
import { BackupStatus } from '../contract/data-archive.ts';
import { decode } from '../contract/decode.ts';
import type { NodeCertificates } from '../contract/messages/cluster.ts';
import type { NodeFile } from '../contract/node.ts';
import type { Topology } from '../contract/topology.ts';
import { withAddress } from '../core/address-move.ts';
import type { Readiness } from '../core/process-status.ts';
import type { Boot } from '../platform/config.ts';
import { readJsonIfExists } from '../platform/files.ts';
import { applyFirewall } from '../platform/firewall.ts';
import { keepCertificates } from '../platform/kept-certificates.ts';
import { type Part, part } from '../platform/lifecycle.ts';
import { writeOwnedFile } from '../platform/owned-files.ts';
import { isPostgresqlReady } from '../platform/postgresql.ts';
import { canConnect } from '../platform/probe.ts';
import { getUser, type SystemUser } from '../platform/system-user.ts';
import { linkDoor, writeLinks } from '../proxy/link/links.ts';
import { Supervisord } from '../supervisor/supervisord.ts';
import { katoHere, runKato } from './own-kato.ts';
import type { Role } from './role.ts';

/** Reports the node's processes, ships their logs, keeps the copies of configuration and host names. */
export const base: Role = async (boot, bus) => {
  const { node, clock, log, paths } = boot;
  const stackato = await getUser('stackato');
  const writeConfig = async ({ revision, config }: { revision: number; config: unknown }) => {
    const ownership = { owner: { uid: 0, gid: stackato.gid }, mode: 0o640 };
    const wrote = await writeOwnedFile(paths.clusterFile, `${JSON.stringify(config, null, 2)}\n`, ownership);
    if (!wrote) return;
    log.info('copied-config', { revision });
    await refreshFirewall(boot);
  };
  const follower = node.isMicro
    ? undefined
    : new NodeFollower({ bus, clock, log, update: () => runKato(boot, ['node', 'update']) });
  const followConfig = async (copied: { revision: number; config: unknown }) => {
    await writeConfig(copied);
    const { domain } = decode(ClusterConfig, copied.config, 'cluster configuration').cluster;
    follower?.saw('settings', domain === boot.config.cluster.domain ? undefined : `the domain is ${domain}`);
  };
  return [
    part('config copy', async () => {
      const copy = PrimaryCopy.ofConfig({ bus, clock, log, apply: followConfig });
      void copy.refresh();
      return () => {
        copy[Symbol.dispose]();
        follower?.[Symbol.dispose]();
      };
    }),
    part('log shipper', async () => {
      const shipper = new LogShipper({ bus, clock, log, folder: paths.log, node: node.id });
      await shipper.start();
      return () => shipper[Symbol.asyncDispose]();
    }),
    part('node reporter', async () => {
      const reporter = new NodeReporter({ bus, boot, supervisor: supervisorOf(boot), probes: () => probe(boot, bus) });
      await reporter.report();
      return () => reporter[Symbol.dispose]();
    }),
    certificatePart(boot, bus),
    ...(node.roles.includes('primary') ? [backupPart(boot)] : []),
    ...hostsParts(boot, bus),
    ...(follower === undefined ? [] : clusterParts(boot, bus, { stackato, follower })),
    componentPart({ type: 'Base', bus, boot }),
  ];
};

/** What a node of a cluster does besides: it follows the other nodes, and runs commands for the Core. */
function clusterParts(
  boot: Boot,
  bus: Bus,
  { stackato, follower }: { stackato: SystemUser; follower: NodeFollower },
): Part[] {
  const { node, log, paths, config } = boot;
  const owner = process.getuid?.() === 0 ? stackato : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
  const supervisor = supervisorOf(boot);
  const apply = async (topology: Topology) => {
    if (!topology.nodes.some(({ id }) => id === node.id)) {
      log.warn('left-out-of-topology', { revision: topology.revision });
      return;
    }
    const text = `${JSON.stringify(topology, null, 2)}\n`;
    const wrote = await writeOwnedFile(paths.topologyFile, text, { owner: { uid: 0, gid: stackato.gid }, mode: 0o640 });
    if (wrote) {
      log.info('copied-topology', { revision: topology.revision, nodes: topology.nodes.length });
      await refreshFirewall(boot);
    }
    // Of its own address this node knows better.
    const linked = withAddress(topology, node.id, node.address);
    if (await writeLinks(paths, linked, { nodeId: node.id, config, owner })) {
      await supervisor.signal('link', 'USR2');
      log.info('changed-links', { revision: topology.revision });
    }
    follower.saw('topology', movedIn(topology, node));
  };
  return [
    part('topology copy', () => {
      const copy = PrimaryCopy.ofTopology({ bus, clock: boot.clock, log, apply });
      void copy.refresh();
      return () => copy[Symbol.dispose]();
    }),
    part('command runner', () => {
      const runner = new CommandRunner({
        ...{ bus, log, nodeId: node.id, ...katoHere(boot) },
      });
      return () => runner[Symbol.dispose]();
    }),
  ];
}

/** Routers and load balancers watch their folders; a node that has neither any more keeps no keys. */
function certificatePart({ node, paths, clock, log }: Boot, bus: Bus): Part {
  const apply = async ({ revision, certificates }: NodeCertificates) => {
    const domains = await keepCertificates(paths, node.roles, certificates);
    if (domains.length > 0) log.info('copied-certificates', { revision, domains });
  };
  return part('certificates', () => {
    const copy = PrimaryCopy.ofCertificates({ bus, clock, log, apply }, node.id);
    void copy.refresh();
    return () => copy[Symbol.dispose]();
  });
}

/** The control database is backed up by kato itself, so that it is the same by hand and at night. */
function backupPart(boot: Boot): Part {
  const { clock, log, paths } = boot;
  return part('backups', () => {
    const keeper = new BackupKeeper({
      ...{ clock, log },
      settings: async () =>
        decode(ClusterConfig, (await readJsonIfExists(paths.clusterFile)) ?? {}, paths.clusterFile).backup,
      status: async () => {
        const value = await readJsonIfExists(paths.backupStatus);
        return value === undefined ? undefined : decode(BackupStatus, value, paths.backupStatus);
      },
      backUp: () => runKato(boot, ['data', 'backup']),
    });
    return () => keeper[Symbol.dispose]();
  });
}

/** What is other than this process began with; the Core's own kato looks after the Core. */
function movedIn({ core, nodes }: Topology, node: NodeFile): string | undefined {
  if (core === node.id) return undefined;
  const at = (id: string) => nodes.find((one) => one.id === id)?.address;
  if (at(core) !== node.coreAddress) return `the Core is at ${at(core)}`;
  return at(node.id) === node.address ? undefined : `this node is at ${node.address}`;
}

/** Rules that name nodes and ports follow both; the links have passwords and certificates besides. */
async function refreshFirewall({ paths, log }: Boot): Promise<void> {
  try {
    if (await applyFirewall(paths, fenceDevices(paths.fence, ['dea', 'stager']))) log.info('wrote-firewall');
  } catch (error) {
    log.error('failed-to-write-firewall', { error });
  }
}

function supervisorOf({ credentials, paths, config }: Boot): Supervisord {
  if (credentials.supervisor === undefined) {
    throw new Error('credentials/base.json lacks supervisor; run `kato node setup micro` again');
  }
  return new Supervisord({
    ...credentials.supervisor,
    folder: paths.supervisor,
    logFolder: paths.log,
    state: paths.state,
    port: config.primary.supervisorPort,
    environment: {},
  });
}

async function probe({ node, paths, config }: Boot, bus: Bus): Promise<Readiness[]> {
  const refusing = (isUp: boolean) => (isUp ? undefined : 'refuses connections');
  const answers: Readiness[] = [];
  if (!node.isMicro) {
    const isUp = await canConnect(linkDoor(node, { paths, config }));
    answers.push({ name: 'link', unwell: refusing(isUp) });
  }
  if (node.roles.includes('primary')) {
    answers.push({ name: 'nats', unwell: refusing(bus.status() === 'connected') });
    if (!node.isDatabaseOutside) answers.push({ name: 'postgresql', unwell: refusing(await isPostgresqlReady(paths)) });
  }
  return answers;
}

/** Only names below .localhost and .local are ours to keep: others have a name server. */
function hostsParts({ node, config, clock, log }: Boot, bus: Bus): Part[] {
  const { domain } = config.cluster;
  if (!node.isMicro || !/\.(localhost|local)$/.test(domain)) return [];
  const file = node.hostsFile ?? '/etc/hosts';
  return [
    part('hosts file', async () => {
      const keeper = new HostsKeeper({ bus, clock, log, file, domain, pruneS: config.router.pruneS });
      await keeper.start();
      return () => keeper[Symbol.asyncDispose]();
    }),
  ];
}
