import { basename } from 'node:path';
import type { ClusterConfig } from '../../contract/config.ts';
import { exec } from '../../platform/exec.ts';
import { readTextIfExists } from '../../platform/files.ts';
import { isProcessOf } from '../../supervisor/orphans.ts';
import { findNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { plannedConfig } from './state-folder.ts';
import type { Step } from './step.ts';

/** The platform's ports must be free, unless it is the platform that has them. */
export const checkPorts: Step = {
  title: 'Ports',
  run: async (context) => {
    const { state } = context.options;
    const node = await findNode(state);
    if (node !== undefined && (await node.supervisor.isRunning())) return 'already';
    const config = node?.config ?? (await plannedConfig(context));
    const ports = portsOf(config);
    const holders = (await listListeners()).filter(({ port }) => ports.includes(port));
    // What a killed supervisord left is this node's own: starting the roles adopts it.
    const foreign: Listener[] = [];
    for (const one of holders) if (!(await isProcessOf(state, one.pid))) foreign.push(one);
    if (foreign.length === 0) return 'already';
    const said = await Promise.all(
      foreign.map(async (one) => `port ${one.port} is taken by ${await describeHolder(one)}`),
    );
    throw new Refusal(`${said.join('; ')}, and the platform needs it`, adviceFor(foreign));
  },
};

type Listener = { readonly port: number; readonly pid: number; readonly name: string };

function portsOf(config: ClusterConfig): number[] {
  const { router, bus, controller, aok, logyard, primary } = config;
  return [router.httpPort, router.httpsPort, bus.port, controller.port, aok.port, logyard.port, primary.supervisorPort];
}

async function listListeners(): Promise<Listener[]> {
  const { stdout } = await exec(['ss', '-H', '-l', '-t', '-n', '-p']);
  const all = stdout.split('\n').map((line) => {
    const [, , , local = ''] = line.trim().split(/\s+/);
    const [, name = '', pid = '0'] = /users:\(\("([^"]*)",pid=(\d+)/.exec(line) ?? [];
    const port = Number(local.slice(local.lastIndexOf(':') + 1));
    return { port, pid: Number(pid), name };
  });
  // A program listens once for each family of addresses, and for each of its threads.
  return [...new Map(all.map((one) => [`${one.port} ${one.pid}`, one])).values()];
}

/** By its command's name: some programs call their main thread otherwise. */
async function describeHolder({ pid, name }: Listener): Promise<string> {
  if (pid === 0) return 'another program';
  const [file = ''] = ((await readTextIfExists(`/proc/${pid}/cmdline`)) ?? '').split('\0');
  return `${basename(file.split(' ')[0] ?? '').replace(/:$/, '') || name} (pid ${pid})`;
}

function adviceFor(foreign: readonly Listener[]): string {
  const pids = [...new Set(foreign.map(({ pid }) => pid))].filter((pid) => pid > 0);
  const kill = pids.length > 0 ? `\`kill ${pids.join(' ')}\`` : 'end it';
  return `stop what has ${foreign.length > 1 ? 'them' : 'it'}: \`systemctl disable --now NAME\` for a service, else ${kill}`;
}
