import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withdrawFence } from '../../src/container/fence/withdraw.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export type Outcome = { readonly code: number | null; readonly stdout: string; readonly stderr: string };

export type RunOptions = {
  readonly input?: string;
  readonly timeoutMs?: number;
  readonly env?: Record<string, string>;
  /** It gets SIGKILL as soon as what it said matches. */
  readonly killAt?: RegExp;
};

/** A whole node on this machine: its own network namespace with a way out, its own state folder and hosts file. */
export class LabNode {
  readonly name: string;
  readonly state: string;
  readonly address: string;
  /** Address of this machine at the near end of its cable. */
  readonly gateway: string;
  readonly hostsFile: string;
  readonly home: string;
  /** The near end of its network cable. */
  readonly link: string;
  readonly #subnet: string;
  readonly #folder: string;
  /** Where its code is. */
  #root = ROOT;

  /** @param folder everything it keeps; without, a new one */
  private constructor(owner: number, number: number, folder?: string) {
    const name = `lab-${owner}-${number}`;
    this.name = name;
    this.link = `lab${number}`;
    this.#subnet = `10.249.${number}`;
    this.address = `${this.#subnet}.2`;
    this.gateway = `${this.#subnet}.1`;
    this.#folder = folder ?? mkdtempSync(join(tmpdir(), `${name}-`));
    this.state = join(this.#folder, 'state');
    this.home = join(this.#folder, 'home');
    this.hostsFile = join(this.#folder, 'hosts');
  }

  /**
   * Makes a node with a free number. Needs root.
   *
   * @param options.disk size of a disk of its own for its state, such as `9G`; without, the machine's is used
   * @param options.checkout does it run a copy of the code that is its own?
   */
  static create(options: { disk?: string; checkout?: boolean } = {}): LabNode {
    if (process.getuid?.() !== 0) throw new Error('a lab node needs root');
    const taken = new Set(readFileSync('/proc/self/net/dev', 'utf8').match(/\S+(?=:)/g));
    for (let number = 1; number < 250; number++) {
      if (taken.has(`lab${number}`)) continue;
      const node = new LabNode(process.pid, number);
      try {
        chmodSync(node.#folder, 0o755);
        writeFileSync(node.hostsFile, '127.0.0.1 localhost\n');
        node.#connect();
        if (options.disk) node.#mountDisk(options.disk);
        if (options.checkout) node.#copyCheckout();
        return node;
      } catch (error) {
        node.#removeNetwork();
        rmSync(node.#folder, { recursive: true, force: true });
        throw error;
      }
    }
    throw new Error('no free number for a lab node');
  }

  /** Nodes of processes that ended without removing them. */
  static abandoned(): LabNode[] {
    return readdirSync(tmpdir()).flatMap((name) => {
      const [, owner = '', number] = /^lab-(\d+)-(\d+)-\w+$/.exec(name) ?? [];
      if (owner === '' || existsSync(`/proc/${owner}`)) return [];
      return [new LabNode(Number(owner), Number(number), join(tmpdir(), name))];
    });
  }

  /** Runs a command inside to its end; only the network is the node's own, so that mounts are seen by all. */
  run(argv: readonly string[], options: RunOptions & { cwd?: string } = {}): Promise<Outcome> {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const child = spawn('nsenter', [`--net=/run/netns/${this.name}`, '--', ...argv], {
      cwd: options.cwd ?? ROOT,
      env: this.environment(options.env),
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const said = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (text: string) => {
        said[stream] += text;
        if (options.killAt?.test(said[stream])) child.kill('SIGKILL');
        if (process.env.LAB_VERBOSE) process.stderr.write(text);
      });
    }
    const timer = setTimeout(() => child.kill('SIGKILL'), options.timeoutMs ?? 120_000);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, ...said });
    });
    child.stdin.on('error', () => child.stdin.destroy());
    child.stdin.end(options.input ?? '');
    return promise;
  }

  kato(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
    return this.run([join(this.#root, 'bin', 'kato'), ...args], options);
  }

  stackato(args: readonly string[], options: RunOptions & { cwd?: string } = {}): Promise<Outcome> {
    return this.run([join(this.#root, 'bin', 'stackato'), ...args], options);
  }

  /** What commands inside find in their environment: the operator's own settings, this node's folders. */
  environment(more: Record<string, string> = {}): Record<string, string> {
    const own = Object.entries(process.env).filter(
      ([name]) => !name.startsWith('STACKATO_') && !name.startsWith('NODE_TEST'),
    );
    return {
      ...Object.fromEntries(own.map(([name, value]) => [name, value ?? ''])),
      STACKATO_STATE: this.state,
      STACKATO_HOSTS_FILE: this.hostsFile,
      STACKATO_HOME: this.home,
      CI: '1',
      NO_COLOR: '1',
      ...more,
    };
  }

  /** Takes it off the network. */
  cut(): void {
    run('ip', 'link', 'set', this.link, 'down');
  }

  mend(): void {
    run('ip', 'link', 'set', this.link, 'up');
  }

  /** Ends everything inside at once, as a power failure does; what is on its disk stays. */
  killAll(): void {
    this.killProcesses();
    for (const pid of this.#containerPids()) kill(pid);
  }

  /** Ends processes at once, those in containers apart; all, or those with such a command line, its words ended by NUL. */
  killProcesses(isMeant: (commandLine: string) => boolean = () => true): void {
    for (const pid of this.#pids()) if (isMeant(commandLineOf(pid))) kill(pid);
  }

  /** Stops everything inside and removes every trace of it, also of what was killed; what fails does not stop the rest. */
  async remove(): Promise<void> {
    await this.kato(['stop'], { timeoutMs: 120_000 });
    for (const pid of this.#pids()) kill(pid);
    for (let round = 0; round < 50 && this.#pids().length > 0; round++)
      await new Promise((done) => setTimeout(done, 100));
    const faults: unknown[] = [];
    const attempt = async (step: () => unknown) => {
      try {
        await step();
      } catch (error) {
        faults.push(error);
      }
    };
    // Containers have networks of their own, so what holds them was not found by the node's.
    await attempt(() => withdrawFence(join(this.state, 'fence'), ['dea', 'stager']));
    for (const mount of mountsBelow(this.#folder)) await attempt(() => unmount(mount));
    await attempt(() => this.#removeNetwork());
    await attempt(() => rmSync(this.#folder, { recursive: true, force: true }));
    if (faults.length > 0) throw new AggregateError(faults, `something is left of ${this.name} in ${this.#folder}`);
  }

  #connect(): void {
    const { name } = this;
    run('ip', 'netns', 'add', name);
    run('ip', 'link', 'add', this.link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    run('ip', 'address', 'add', `${this.gateway}/24`, 'dev', this.link);
    run('ip', 'link', 'set', this.link, 'up');
    run('ip', '-n', name, 'address', 'add', `${this.address}/24`, 'dev', 'eth0');
    run('ip', '-n', name, 'link', 'set', 'lo', 'up');
    run('ip', '-n', name, 'link', 'set', 'eth0', 'up');
    run('ip', '-n', name, 'route', 'add', 'default', 'via', this.gateway);
    writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
    const rules = [
      `table ip ${this.link} {`,
      '  chain out { type nat hook postrouting priority srcnat;',
      // Nodes see each other as they are.
      `    ip saddr ${this.#subnet}.0/24 ip daddr != 10.249.0.0/16 oifname != "${this.link}" masquerade`,
      '  }',
      '}',
    ];
    run('nft', '-f', '-', { input: `${rules.join('\n')}\n` });
  }

  #copyCheckout(): void {
    this.#root = join(this.#folder, 'checkout');
    copyCheckout(this.#root);
  }

  #mountDisk(size: string): void {
    const image = join(this.#folder, 'disk.img');
    mkdirSync(this.state, { mode: 0o755 });
    run('truncate', '--size', size, image);
    run('mkfs.ext4', '-q', '-m', '0', image);
    run('mount', '-o', 'loop', image, this.state);
    chmodSync(this.state, 0o755);
  }

  #removeNetwork(): void {
    for (const argv of [
      ['nft', 'delete', 'table', 'ip', this.link],
      ['ip', 'link', 'delete', this.link],
      ['ip', 'netns', 'delete', this.name],
    ]) {
      const [command = '', ...args] = argv;
      spawnSync(command, args, { stdio: 'ignore' });
    }
  }

  /** The processes of its containers: those whose root lies in its store. */
  #containerPids(): number[] {
    const store = join(this.state, 'fence', 'store');
    const mount = readFileSync('/proc/self/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .find(([, at]) => at === store);
    if (!mount) return [];
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    return pids.filter((pid) => mountsOf(pid).some((line) => line.includes(` ${mount[0]} `))).map(Number);
  }

  /** Processes whose network is this node's, those of its containers apart. */
  #pids(): number[] {
    const { stdout } = spawnSync('ip', ['netns', 'pids', this.name], { encoding: 'utf8' });
    return (stdout ?? '').split('\n').filter(Boolean).map(Number);
  }
}

/** A copy of the code that is tested, as a machine of its own would have it. */
export function copyCheckout(folder: string): void {
  // Links cost neither time nor room; nobody writes into these files.
  const { status } = spawnSync('cp', ['-al', '--', resolve(ROOT), folder], { stdio: 'ignore' });
  if (status !== 0) {
    rmSync(folder, { recursive: true, force: true });
    run('cp', '-a', '--', resolve(ROOT), folder);
  }
  for (const name of ['.git', 'node_modules/.compile-cache']) {
    rmSync(join(folder, name), { recursive: true, force: true });
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Empty when it has ended. */
function commandLineOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH')) return '';
    throw error;
  }
}

/** What a process sees mounted, below `/` its own root; nothing when it has ended. */
function mountsOf(pid: string): string[] {
  try {
    const lines = readFileSync(`/proc/${pid}/mountinfo`, 'utf8').split('\n');
    return lines.filter((line) => line.split(' ')[4] === '/');
  } catch {
    return [];
  }
}

function mountsBelow(folder: string): string[] {
  const paths = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '');
  return paths.filter((path) => path.startsWith(`${folder}/`)).sort((a, b) => b.length - a.length);
}

/** What was ended, or the loop device of an image in it, can hold it for a while: for 20 s on a machine with a load of 18. */
async function unmount(mount: string): Promise<void> {
  const endMs = Date.now() + 60_000;
  for (;;) {
    const { status, stderr } = spawnSync('umount', [mount], { encoding: 'utf8' });
    if (status === 0) return;
    if (!/target is busy/.test(stderr) || Date.now() > endMs) {
      const { stdout } = spawnSync('sh', ['-c', 'losetup -a; fuser -vm "$0" 2>&1', mount], { encoding: 'utf8' });
      throw new Error(`umount ${mount}: ${stderr}\n${stdout}`);
    }
    await new Promise((done) => setTimeout(done, 100));
  }
}

type Last = string | { input: string };

function run(command: string, ...rest: readonly Last[]): void {
  const args = rest.filter((one): one is string => typeof one === 'string');
  const input = rest.find((one): one is { input: string } => typeof one !== 'string')?.input;
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8', ...(input === undefined ? {} : { input }) });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`);
}
