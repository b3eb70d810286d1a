import { MemoryBroker, MemoryBus } from '../../bus/memory.ts';
import { FakeEngine, type FakeOptions } from '../../container/fake.ts';
import { ClusterConfig } from '../../contract/config.ts';
import { decode } from '../../contract/decode.ts';
import type { PayloadOf } from '../../contract/subject.ts';
import { subjects } from '../../contract/subjects.ts';
import { FakeClock, settle } from '../../platform/clock.ts';
import { temporaryDirectory } from '../../platform/files.ts';
import { silentLog } from '../../platform/log.ts';
import { pathsOf } from '../../platform/paths.ts';
import { seededRandom } from '../../platform/random.ts';
import { Dea } from '../dea.ts';
import { type DropletStore, imageKeyOf } from '../droplets.ts';
import type { StartMessage } from '../instance.ts';
import type { Probe } from '../probe.ts';

/** Everything that was said on the bus and that a test may ask about. */
export type Heard = {
  readonly heartbeats: PayloadOf<typeof subjects.deaHeartbeat>[];
  readonly exited: PayloadOf<typeof subjects.dropletExited>[];
  readonly refused: PayloadOf<typeof subjects.deaRefused>[];
  readonly registered: PayloadOf<typeof subjects.routerRegister>[];
  readonly unregistered: PayloadOf<typeof subjects.routerRegister>[];
  readonly advertised: PayloadOf<typeof subjects.deaAdvertise>[];
  readonly shutdowns: PayloadOf<typeof subjects.deaShutdown>[];
  readonly lines: { readonly app: string; readonly source: string; readonly text: string }[];
};

/** Notes everything that DEAs say. */
export function listenToAll(bus: MemoryBus): Heard {
  const heard: Heard = {
    ...{
      heartbeats: [],
      exited: [],
      refused: [],
      registered: [],
      unregistered: [],
      advertised: [],
      shutdowns: [],
      lines: [],
    },
  };
  bus.subscribe(subjects.deaHeartbeat, [], (beat) => heard.heartbeats.push(beat));
  bus.subscribe(subjects.dropletExited, [], (exit) => heard.exited.push(exit));
  bus.subscribe(subjects.deaRefused, [], (refused) => heard.refused.push(refused));
  bus.subscribe(subjects.routerRegister, [], (route) => heard.registered.push(route));
  bus.subscribe(subjects.routerUnregister, [], (route) => heard.unregistered.push(route));
  bus.subscribe(subjects.deaAdvertise, [], (advertisement) => heard.advertised.push(advertisement));
  bus.subscribe(subjects.deaShutdown, [], (shutdown) => heard.shutdowns.push(shutdown));
  bus.subscribe(subjects.appLog, ['*'], ({ app, lines }) => {
    for (const { source, text } of lines) heard.lines.push({ app, source, text });
  });
  bus.subscribe(subjects.routerGreet, [], (_empty, { respond }) =>
    respond({ id: 'router', hosts: [], minimumRegisterIntervalInSeconds: 20, pruneThresholdInSeconds: 120 }),
  );
  return heard;
}

/** Images out of nothing, for where unpacking is not what is tested. */
export function emptyDroplets(engine: FakeEngine): DropletStore {
  return {
    open: async () => {},
    prepare: async (message) => {
      const key = imageKeyOf(message);
      await engine.prepareImage({ key, stack: message.stack }, async () => {});
      return key;
    },
    removeUnused: async () => {},
  };
}

/** A probe that finds what the played processes listen on. */
export function fakeProbe(engine: FakeEngine): Probe {
  return async (address, question) => {
    if (question.type === 'process') return { kind: 'well' };
    const found = (await engine.list()).find((info) => info.address === address);
    const hostPort = found?.ports[0]?.hostPort;
    return hostPort !== undefined && engine.isListening(hostPort) ? { kind: 'well' } : { kind: 'refused' };
  };
}

/** A start message with everything that is needed, changed as told. */
export function startMessage(change: Partial<StartMessage> = {}): StartMessage {
  return decode(
    subjects.deaStart.payload,
    {
      droplet: 'process-1',
      index: 0,
      version: 'v1',
      name: 'shop',
      uris: ['shop.example'],
      executableUri: 'http://127.0.0.1:1/droplet',
      limits: { mem: 64, disk: 128 },
      start_command: 'node server.js',
      stack: 'stackato',
      x: { sha256: 'ab'.repeat(32), app_guid: 'app-1', health_check: { type: 'port' }, tags: { space_name: 'dev' } },
      ...change,
    },
    'start message',
  );
}

/** One DEA on a fake engine, clock and bus, with the means to restart it. */
export async function openHarness(
  options: { script?: FakeOptions['script']; exec?: FakeOptions['exec']; config?: ClusterConfig } = {},
) {
  const directory = await temporaryDirectory('stackato-dea');
  const clock = new FakeClock();
  const broker = new MemoryBroker();
  const test = new MemoryBus(broker);
  const heard = listenToAll(test);
  const script = options.script ?? ((process) => process.listen(8080));
  const engine = new FakeEngine({ clock, script, ...(options.exec ? { exec: options.exec } : {}) });
  const config = options.config ?? decode(ClusterConfig, { dea: { memoryMb: 1024, diskMb: 4096 } }, 'config');
  const boot = {
    ...{ clock, config, log: silentLog, paths: pathsOf(directory.path), random: seededRandom(7) },
    node: {
      ...{ id: 'd'.repeat(32), index: 0, address: '10.0.0.9', coreAddress: '10.0.0.9', roles: ['dea'], isMicro: true },
      ...{ zone: 'default', availabilityZone: 'default' },
    },
  };
  const probe = fakeProbe(engine);
  const open = () => Dea.open({ boot, bus: new MemoryBus(broker), engine, probe, droplets: emptyDroplets(engine) });
  let dea = await open();
  await settle();
  return {
    ...{ clock, engine, heard, bus: test, config, directory: boot.paths.dea },
    get dea() {
      return dea;
    },
    /** Sends a start and lets it take effect. */
    start: async (change: Partial<StartMessage> = {}) => {
      test.publish(subjects.deaStart, [boot.node.id], startMessage(change));
      await settle();
    },
    stop: async (filter: PayloadOf<typeof subjects.deaStop>) => {
      test.publish(subjects.deaStop, [], filter);
      await settle();
    },
    /** Ends the process and leaves its containers, then starts its successor. */
    restart: async (meanwhile: () => unknown = () => {}) => {
      await dea.leave();
      await settle();
      await meanwhile();
      dea = await open();
      await settle();
    },
    [Symbol.asyncDispose]: async () => {
      await dea.leave();
      await engine[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}
