import { createHash } from 'node:crypto';
import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { MemoryBroker, MemoryBus } from '../../bus/memory.ts';
import { openTestFence } from '../../container/fence/testing/test-fence.ts';
import { makeTinyRoot } from '../../container/fence/testing/tiny-root.ts';
import { ClusterConfig } from '../../contract/config.ts';
import { decode } from '../../contract/decode.ts';
import { subjects } from '../../contract/subjects.ts';
import { systemClock } from '../../platform/clock.ts';
import { exec } from '../../platform/exec.ts';
import { temporaryDirectory } from '../../platform/files.ts';
import { silentLog } from '../../platform/log.ts';
import { findAddress } from '../../platform/network-address.ts';
import { pathsOf } from '../../platform/paths.ts';
import { systemRandom } from '../../platform/random.ts';
import { Dea } from '../dea.ts';
import type { StartMessage } from '../instance.ts';
import { networkProbe } from '../probe.ts';
import { listenToAll, startMessage } from './harness.ts';

/** A DEA on the real container engine, with a server that hands out droplets. */
export async function openRealDea() {
  const folder = await temporaryDirectory('stackato-real-dea');
  await chmod(folder.path, 0o711);
  const fence = await openTestFence();
  const stack = join(folder.path, 'stack');
  await mkdir(stack);
  await makeTinyRoot(stack);
  await addBash(stack);
  await fence.engine.importStack('stackato', { directory: stack });
  const broker = new MemoryBroker();
  const bus = new MemoryBus(broker);
  const heard = listenToAll(bus);
  const droplets = await serveDroplets();
  const config = decode(ClusterConfig, { dea: { memoryMb: 2048, diskMb: 1024, stopGraceMs: 3000 } }, 'config');
  const address = await findAddress();
  const boot = {
    ...{ clock: systemClock, config, log: silentLog, paths: pathsOf(folder.path), random: systemRandom },
    node: {
      ...{ id: 'e'.repeat(32), index: 0, address, coreAddress: address, roles: ['dea'] },
      ...{ zone: 'default', availabilityZone: 'default' },
    },
  };
  let engine = fence.engine;
  const open = () => Dea.open({ boot, bus: new MemoryBus(broker), engine, probe: networkProbe });
  let dea = await open();
  return {
    ...{ heard, fence, bus, folder: folder.path, droplets },
    get dea() {
      return dea;
    },
    get engine() {
      return engine;
    },
    /** Packs a folder of files as a droplet and sends a start of it. */
    start: async (files: Readonly<Record<string, string>>, change: Partial<StartMessage> = {}) => {
      const droplet = await packDroplet(folder.path, files);
      const { x } = startMessage();
      const url = droplets.add(droplet);
      const sha256 = createHash('sha256').update(droplet).digest('hex');
      const message = startMessage({ executableUri: url, ...change });
      const extra = { ...x, ...message.x, sha256: change.x?.sha256 ?? sha256 };
      bus.publish(subjects.deaStart, [boot.node.id], { ...message, x: extra as NonNullable<StartMessage['x']> });
    },
    stop: (droplet: string) => bus.publish(subjects.deaStop, [], { droplet }),
    /** Ends the process and its engine, and starts successors of both. */
    restart: async () => {
      await dea.leave();
      await engine[Symbol.asyncDispose]();
      engine = await fence.reopen();
      dea = await open();
    },
    [Symbol.asyncDispose]: async () => {
      await dea.shutDown();
      await engine[Symbol.asyncDispose]();
      droplets.close();
      await fence[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Waits until something is true, looking again each time the event loop is idle. */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`never came: ${what}`);
    await systemClock.sleep(5);
  }
}

/** Answer of an instance behind its host port. */
export async function ask(port: number, path = '/'): Promise<{ status: number; body: string }> {
  const host = await findAddress();
  return new Promise((resolve, reject) => {
    const asked = request({ host, port, path, agent: false, timeout: 5000 }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') });
    });
    asked.once('error', reject);
    asked.end();
  });
}

async function serveDroplets() {
  const files = new Map<string, Buffer>();
  const server = createServer((asked, response) => {
    const file = files.get(asked.url ?? '');
    if (file) response.writeHead(200).end(file);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    add: (file: Buffer) => {
      const path = `/${files.size}`;
      files.set(path, file);
      return `http://127.0.0.1:${port}${path}`;
    },
    missing: `http://127.0.0.1:${port}/missing`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

async function packDroplet(folder: string, files: Readonly<Record<string, string>>): Promise<Buffer> {
  const source = join(folder, `droplet-${systemRandom.hex(4)}`);
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(source, path)), { recursive: true });
    await writeFile(join(source, path), content);
  }
  await mkdir(join(source, 'app'), { recursive: true });
  const archive = `${source}.tgz`;
  await exec(['tar', '-czf', archive, '-C', source, '.']);
  return readFile(archive);
}

/** bash and what it is linked to, from this machine. */
async function addBash(root: string): Promise<void> {
  const { stdout } = await exec(['ldd', '/bin/bash']);
  const libraries = [...stdout.matchAll(/(\/[^\s]+) \(0x/g)].map(([, path = '']) => path);
  for (const path of ['/bin/bash', ...libraries]) {
    await mkdir(join(root, dirname(path)), { recursive: true });
    await cp(path, join(root, path), { dereference: true });
  }
}
