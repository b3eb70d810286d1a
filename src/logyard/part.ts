import type { Bus } from '../bus/bus.ts';
import { componentPart } from '../bus/component.ts';
import { Registrant } from '../bus/registrant.ts';
import { systemHosts } from '../contract/hosts.ts';
import { subjects } from '../contract/subjects.ts';
import { serviceHost } from '../contract/topology.ts';
import type { Boot } from '../platform/config.ts';
import { type Part, part } from '../platform/lifecycle.ts';
import { tokenVerifier } from '../platform/token-verifier.ts';
import { TopologyFile } from '../platform/topology-file.ts';
import { Access, askController } from './access.ts';
import { Drains } from './drains.ts';
import { LogStore } from './log-store.ts';
import { logServer } from './server.ts';
import { SharedLog } from './shared-log.ts';

const LISTEN = '127.0.0.1';
const IDLE_CHECK_MS = 3_600_000;

/** Recent logs, their streams and the Log Cache API as parts of a process. */
export function logyardParts(boot: Boot, bus: Bus): Part[] {
  const { clock, log, paths } = boot;
  const { aok, controller, logyard } = boot.config;
  const store = new LogStore({ directory: paths.logyard, config: logyard, clock, log });
  const access = new Access({
    verify: tokenVerifier(`http://${LISTEN}:${aok.port}/token_keys`),
    ask: askController(`http://${LISTEN}:${controller.port}`),
    clock,
  });
  let shared: SharedLog | undefined;
  return [
    part('log store', () => {
      const open = [
        bus.subscribe(subjects.appLog, ['*'], (lines) => store.append(lines)),
        clock.every(logyard.flushMs, () => store.flush()),
        clock.every(IDLE_CHECK_MS, () => store.removeIdle()),
      ];
      store.removeIdle();
      const heardUntilMs = store.writtenUntilMs();
      const made = new SharedLog({ store, bus, clock, log, id: boot.random.hex(16) }, heardUntilMs);
      shared = made;
      return async () => {
        await made[Symbol.asyncDispose]();
        for (const one of open) one[Symbol.dispose]();
        // Twice: a flush may be under way that began before the last lines came.
        await store.flush();
        await store.flush();
      };
    }),
    part('drains', async () => {
      const nodes = await TopologyFile.open(paths.topologyFile, 'base', boot);
      const addressOf = (node: string) =>
        node === boot.node.id ? boot.node.address : (nodes.nodes().find(({ id }) => id === node)?.address ?? node);
      const drains = new Drains({
        ...{ bus, clock, log, addressOf },
        wanted: () => logyard.drains,
        isSenior: () => shared?.isSenior ?? false,
      });
      return () => {
        nodes[Symbol.dispose]();
        return drains[Symbol.asyncDispose]();
      };
    }),
    part('log server', async () => {
      if (!shared) throw new Error('the log server needs the log store');
      const server = logServer({ store, shared, access, clock, log });
      await server.listen({ host: LISTEN, port: logyard.port });
      return () => server.close();
    }),
    routePart(boot, bus),
    componentPart({
      type: 'Logyard',
      bus,
      boot,
      varz: () => ({ lines_received: store.taken, ...store.memory, peers: shared?.peers ?? 0 }),
    }),
  ];
}

function routePart(boot: Boot, bus: Bus): Part {
  const { cluster, logyard, router } = boot.config;
  const hosts = systemHosts(cluster.domain);
  const path = '/stackato/v1/stream';
  const registration = {
    host: serviceHost(boot.node),
    port: logyard.port,
    // The console and the API's clients find the stream on the host they know, too.
    uris: [hosts.logCache, `${hosts.console}${path}`, `${hosts.api}${path}`],
    tags: { component: 'logyard' },
    private_instance_id: 'logyard',
  };
  return part('log routes', () => {
    const registrant = new Registrant({
      ...{ bus, clock: boot.clock, intervalS: router.registerS },
      registrations: () => [registration],
      isShared: !boot.node.isMicro,
    });
    return () => registrant[Symbol.asyncDispose]();
  });
}
