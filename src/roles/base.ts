import { ConfigCopy } from '../base/config-copy.ts';
import { HostsKeeper } from '../base/hosts-keeper.ts';
import { LogShipper } from '../base/log-shipper.ts';
import { NodeReporter } from '../base/node-reporter.ts';
import type { Bus } from '../bus/bus.ts';
import { componentPart } from '../bus/component.ts';
import type { Readiness } from '../core/process-status.ts';
import type { Boot } from '../platform/config.ts';
import { type Part, part } from '../platform/lifecycle.ts';
import { writeOwnedFile } from '../platform/owned-files.ts';
import { isPostgresqlReady } from '../platform/postgresql.ts';
import { getUser } from '../platform/system-user.ts';
import { Supervisord } from '../supervisor/supervisord.ts';
import type { Role } from './role.ts';

/** Reports the node's processes, ships their logs, keeps the copies of configuration and host names. */
export const base: Role = async (boot, bus) => {
  const { node, clock, log, paths } = boot;
  const stackato = await getUser('stackato');
  const writeConfig = (config: unknown) =>
    writeOwnedFile(paths.clusterFile, `${JSON.stringify(config, null, 2)}\n`, {
      owner: { uid: 0, gid: stackato.gid },
      mode: 0o640,
    });
  return [
    part('config copy', async () => {
      const copy = new ConfigCopy({ bus, log, write: writeConfig });
      void copy.refresh();
      return () => copy[Symbol.dispose]();
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
    ...hostsParts(boot, bus),
    componentPart({ type: 'Base', bus, boot }),
  ];
};

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

async function probe({ node, paths }: Boot, bus: Bus): Promise<Readiness[]> {
  if (!node.roles.includes('primary')) return [];
  const isUp = await isPostgresqlReady(paths);
  return [
    { name: 'nats', unwell: bus.status() === 'connected' ? undefined : 'refuses connections' },
    { name: 'postgresql', unwell: isUp ? undefined : 'refuses connections' },
  ];
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
