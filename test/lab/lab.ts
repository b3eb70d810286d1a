import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeAbandoned } from './abandoned.ts';
import { admin, Cluster } from './cluster.ts';
import type { LabNode } from './node.ts';
import { topologies } from './topologies.ts';

const USAGE = `npm run lab -- TOPOLOGY             make it, and keep it until Ctrl-C; one of ${Object.keys(topologies).join(', ')}
npm run lab -- enter N [COMMAND]    a shell (or a command) on node N; node 0 is the Core
npm run lab -- cut N | mend N       take node N off the network, and bring it back
npm run lab -- slow N MS            each packet to and from node N takes MS longer; 0 ends it
npm run lab -- list                 the nodes of the lab that is up
`;

/** What a second terminal needs of the lab that is up. */
type Entry = {
  readonly name: string;
  readonly address: string;
  readonly link: string;
  readonly env: Record<string, string>;
};
const record = join(tmpdir(), 'stackato-lab.json');

const [what = '', ...rest] = process.argv.slice(2);
process.exitCode = await main();

async function main(): Promise<number> {
  const topology = topologies[what];
  if (topology !== undefined) return keepUp(topology);
  if (what === 'list') return list();
  if (what === 'enter') return enter(entryOf(rest[0]), rest.slice(1));
  if (what === 'cut' || what === 'mend')
    return ip('link', 'set', entryOf(rest[0]).link, what === 'cut' ? 'down' : 'up');
  if (what === 'slow') return slow(entryOf(rest[0]), Number(rest[1]));
  process.stderr.write(USAGE);
  return 2;
}

async function keepUp(topology: (typeof topologies)[string]): Promise<number> {
  const stop = Promise.withResolvers<void>();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => stop.resolve());
  // A signal handler alone does not keep a process up once the nodes are made.
  const up = setInterval(() => undefined, 2 ** 30);
  const said = (text: string) => process.stdout.write(`${text}\n`);
  await removeAbandoned(said);
  const cluster = await Cluster.make(topology, { said });
  try {
    const nodes = [cluster.core, ...cluster.attached];
    writeFileSync(record, JSON.stringify(nodes.map(entry), null, 2), { mode: 0o600 });
    process.stdout.write(
      `\nup: https://console.${cluster.domain} on the Core; ${admin.email}, password ${admin.password}\n` +
        'in another terminal: npm run lab -- enter 0 bin/kato status --all\nCtrl-C removes it\n',
    );
    await stop.promise;
  } finally {
    clearInterval(up);
    rmSync(record, { force: true });
    await cluster[Symbol.asyncDispose]();
  }
  return 0;
}

function entry(node: LabNode): Entry {
  return { name: node.name, address: node.address, link: node.link, env: node.environment() };
}

function entries(): Entry[] {
  try {
    return JSON.parse(readFileSync(record, 'utf8'));
  } catch {
    process.stderr.write('no lab is up here; make one: npm run lab -- three-node\n');
    return process.exit(1);
  }
}

function entryOf(number: string | undefined): Entry {
  const found = entries()[Number(number)];
  if (found !== undefined) return found;
  process.stderr.write(`there is no node '${number ?? ''}' in this lab; npm run lab -- list\n`);
  return process.exit(1);
}

function list(): number {
  for (const [at, { address, name }] of entries().entries()) process.stdout.write(`${at}  ${address}  ${name}\n`);
  return 0;
}

/** Inside, the names of the platform are those of the node's own hosts file. */
async function enter({ name, env }: Entry, command: readonly string[]): Promise<number> {
  const hosts = env.STACKATO_HOSTS_FILE ?? '/etc/hosts';
  const shell = command.length > 0 ? command : ['bash', '--norc'];
  const inside = ['unshare', '--mount', 'sh', '-c', 'mount --bind "$0" /etc/hosts && exec "$@"', hosts, ...shell];
  const child = spawn('nsenter', [`--net=/run/netns/${name}`, '--', ...inside], { env, stdio: 'inherit' });
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.on('error', reject);
  child.on('close', (code) => resolve(code ?? 1));
  return promise;
}

function slow({ link, name }: Entry, ms: number): number {
  if (!Number.isFinite(ms) || ms < 0) {
    process.stderr.write('slow takes milliseconds, for example: npm run lab -- slow 2 200\n');
    return 2;
  }
  const queue =
    ms === 0 ? ['delete', 'dev', link, 'root'] : ['replace', 'dev', link, 'root', 'netem', 'delay', `${ms}ms`];
  const out = spawnSync('tc', ['qdisc', ...queue], { stdio: 'inherit' }).status ?? 1;
  if (ms === 0) return out;
  process.stdout.write(`${name}: ${ms} ms each way\n`);
  return out;
}

function ip(...args: string[]): number {
  return spawnSync('ip', args, { stdio: 'inherit' }).status ?? 1;
}
