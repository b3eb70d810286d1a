import { once } from 'node:events';
import { cp, mkdir, readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import yazl from 'yazl';
import { MemoryBroker, MemoryBus } from '../../bus/memory.ts';
import type { ContainerEngine } from '../../container/container.ts';
import { FakeEngine, type FakeProcess } from '../../container/fake.ts';
import { ClusterConfig } from '../../contract/config.ts';
import { decode } from '../../contract/decode.ts';
import { subjects } from '../../contract/subjects.ts';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { ExecError, exec } from '../../platform/exec.ts';
import { temporaryDirectory } from '../../platform/files.ts';
import { silentLog } from '../../platform/log.ts';
import { systemRandom } from '../../platform/random.ts';
import { BuildpackStore } from '../buildpack-store.ts';
import { Outbox } from '../outbox.ts';
import { Stager } from '../stager.ts';
import { taskLabel } from '../staging-container.ts';
import type { Request, Result } from '../staging-result.ts';

const builder = fileURLToPath(new URL('../builder', import.meta.url));
export const builtinBuildpacks = fileURLToPath(new URL('../../../buildpacks', import.meta.url));

type RequestOverride = Partial<Omit<Request, 'properties'>> & { properties?: Partial<Request['properties']> };

export type Entry = string | { readonly text: string; readonly mode: number };

/** A zip archive in memory; names are not checked, so that harmful ones can be made. */
export async function zip(entries: Readonly<Record<string, Entry>>): Promise<Buffer> {
  const archive = new yazl.ZipFile();
  const disguised = new Map<string, string>();
  for (const [name, entry] of Object.entries(entries)) {
    const { text, mode } = typeof entry === 'string' ? { text: entry, mode: 0o100644 } : entry;
    // yazl refuses what the tests need: a name of the same length is put in its place afterwards.
    const safe = name.startsWith('../') ? `xxx${name.slice(3)}` : name;
    if (safe !== name) disguised.set(safe, name);
    archive.addBuffer(Buffer.from(text), safe, { mode });
  }
  archive.end();
  const chunks: Buffer[] = [];
  for await (const chunk of archive.outputStream) chunks.push(Buffer.from(chunk as Buffer));
  let bytes = Buffer.concat(chunks).toString('latin1');
  for (const [safe, name] of disguised) bytes = bytes.replaceAll(safe, name);
  return Buffer.from(bytes, 'latin1');
}

/** The same archive, its table of contents saying another size for a file. */
export function lyingZip(archive: Buffer, name: string, bytes: number): Buffer {
  const lying = Buffer.from(archive);
  for (let at = lying.indexOf(name); at >= 0; at = lying.indexOf(name, at + 1)) {
    if (at >= 46 && lying.readUInt32LE(at - 46) === 0x02014b50) lying.writeUInt32LE(bytes, at - 46 + 24);
    else if (at >= 30 && lying.readUInt32LE(at - 30) === 0x04034b50) lying.writeUInt32LE(bytes, at - 30 + 22);
  }
  return lying;
}

/** A controller's side of staging: files by path, results as they are posted. */
export class BlobServer {
  readonly files = new Map<string, Buffer>();
  readonly results: Result[] = [];
  /** Answers to the next results, before 200 is answered. */
  refusals: number[] = [];
  readonly #server: Server;
  #heard = Promise.withResolvers<void>();

  constructor() {
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
  }

  url(path: string): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/${path}`;
  }

  /** The result of a task, once it was accepted. */
  async result(taskId: string): Promise<Result> {
    for (;;) {
      const { promise } = this.#heard;
      const result = this.results.find((one) => one.task_id === taskId);
      if (result) return result;
      await promise;
    }
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = (request.url ?? '/').slice(1);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    if (request.method === 'PUT') {
      this.files.set(path, body);
      response.writeHead(201).end();
    } else if (request.method === 'POST') {
      const status = this.refusals.shift() ?? 200;
      if (status === 200) this.results.push(JSON.parse(body.toString('utf8')));
      response.writeHead(status).end();
      this.#heard.resolve();
      this.#heard = Promise.withResolvers<void>();
    } else {
      const file = this.files.get(path);
      response.writeHead(file ? 200 : 404).end(file);
    }
  }
}

/** Plays the container: the real build script over the fake engine's folders, as a process of this machine. */
export async function runBuilder(process: FakeProcess, root: string): Promise<void> {
  for (const mount of process.spec.mounts ?? []) {
    await cp(mount.source, join(root, mount.destination), { recursive: true });
  }
  const home = join(root, 'home/vcap');
  await mkdir(home, { recursive: true });
  const stop = new AbortController();
  process.stopped.addEventListener('abort', () => stop.abort());
  const argv = ['bash', join(root, 'staging/builder/builder.sh'), join(root, 'staging'), home];
  const { env } = process.process;
  const outcome = await exec(argv, { env: { ...env, HOME: home }, signal: stop.signal }).catch((error: unknown) => {
    if (error instanceof ExecError) return { code: error.code ?? 137, stdout: error.stdout, stderr: error.stderr };
    throw error;
  });
  const lines = (text: string) => text.split('\n').filter((line) => line !== '');
  for (const line of lines(outcome.stdout)) process.print(line);
  for (const line of lines(outcome.stderr)) process.print(line, 'stderr');
  process.exit(outcome.code);
}

/** A stager with everything around it, on a bus and disk of its own. */
export async function stagerWorld(
  options: {
    script?: (process: FakeProcess, root: string) => unknown;
    memoryMb?: number;
    /** A real engine instead of the fake; it stays the caller's. */
    engine?: ContainerEngine;
    staging?: Partial<ClusterConfig['staging']>;
    config?: ClusterConfig;
    clock?: Clock;
  } = {},
) {
  const script = options.script ?? runBuilder;
  const stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(await temporaryDirectory('stackato-stager'));
  const blobs = new BlobServer();
  await blobs.listen();
  stack.defer(() => blobs.close());
  const broker = new MemoryBroker();
  const bus = new MemoryBus(broker);
  const engine: FakeEngine = stack.use(
    new FakeEngine({
      clock: systemClock,
      script: (process) =>
        void engine.rootPath(process.spec.handle).then(async (root) => {
          await script(process, root);
        }),
    }),
  );
  const config = options.config ?? decode(ClusterConfig, { staging: options.staging ?? {} }, 'config');
  const lines: string[] = [];
  bus.subscribe(subjects.appLog, ['*'], (message) => {
    for (const line of message.lines) lines.push(`${line.source} ${line.type} ${line.text}`);
  });
  const common = {
    bus: new MemoryBus(broker),
    engine: options.engine ?? engine,
    clock: options.clock ?? systemClock,
    log: silentLog,
    config,
    builder,
  };
  const startStager = async () => {
    const stopping = new AbortController();
    const outbox = new Outbox({
      folder: join(folder, 'results'),
      clock: systemClock,
      log: silentLog,
      stop: stopping.signal,
    });
    const tasks = join(folder, 'tasks');
    await mkdir(tasks, { recursive: true });
    const stager = new Stager({
      ...common,
      id: 'stager-1',
      folder: tasks,
      outbox,
      stager: config.stager,
      memoryMb: options.memoryMb ?? 4096,
      buildpacks: new BuildpackStore({
        builtin: builtinBuildpacks,
        folder: join(folder, 'buildpacks'),
        clock: systemClock,
        random: systemRandom,
      }),
    });
    const running = await stager.start();
    let isStopped = false;
    const stop = async () => {
      if (isStopped) return;
      isStopped = true;
      stopping.abort(new Error('stopped'));
      await running[Symbol.asyncDispose]();
      await outbox.settled();
    };
    return { stager, outbox, stop };
  };
  const first = await startStager();
  let current = first;
  stack.defer(() => current.stop());
  return {
    bus,
    blobs,
    engine,
    lines,
    folder,
    stager: first.stager,
    stop: () => current.stop(),
    restart: async () => {
      current = await startStager();
      return current;
    },
    /** Sends a request and gives the first reply; the result is `blobs.result`. */
    stage: async (request: Request) => {
      const replies = await bus.request(subjects.stagingStart, ['stager-1'], request, { timeoutMs: 5000 });
      return replies[0];
    },
    /** What a stager that was killed in the middle of a task leaves. */
    leaveBehind: async (taskId: string) => {
      const outbox = new Outbox({
        folder: join(folder, 'results'),
        clock: systemClock,
        log: silentLog,
        stop: new AbortController().signal,
      });
      await outbox.accepted({ task_id: taskId, app_id: 'app-1', completion_uri: blobs.url('done') });
      await engine.create({
        handle: `staging-${taskId}`,
        root: { stack: 'stackato' },
        limits: { memoryMb: 1, diskMb: 1, pids: 1, fds: 1 },
        ports: [],
        egress: [],
        labels: { [taskLabel]: taskId },
      });
    },
    request: (over: RequestOverride = {}): Request => ({
      app_id: 'app-1',
      task_id: 'task-1',
      download_uri: blobs.url('package'),
      upload_uri: blobs.url('droplet'),
      buildpack_cache_download_uri: blobs.url('cache'),
      buildpack_cache_upload_uri: blobs.url('cache'),
      completion_uri: blobs.url('done'),
      admin_buildpacks: [],
      egress_network_rules: [],
      stack: 'stackato',
      memory_limit: 1024,
      disk_limit: 1024,
      timeout_s: 900,
      ...over,
      properties: {
        services: [],
        environment: [],
        buildpacks: [],
        vcap_services: {},
        vcap_application: {},
        tags: {},
        ...over.properties,
      },
    }),
    /** Names and contents of the droplet's files. */
    droplet: async (): Promise<Map<string, string>> => {
      const into = join(folder, 'droplet');
      await mkdir(into, { recursive: true });
      await exec(['tar', '-xzf', '-', '-C', into], { input: blobs.files.get('droplet') ?? Buffer.alloc(0) });
      const { stdout } = await exec(['find', '.', '-type', 'f'], { cwd: into });
      const names = stdout.split('\n').filter((name) => name !== '');
      return new Map(
        await Promise.all(names.map(async (name) => [name, await readFile(join(into, name), 'utf8')] as const)),
      );
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
