import type { ClusterConfig } from '../../contract/config.ts';
import { exec } from '../../platform/exec.ts';
import { Refusal } from '../refusal.ts';
import { plannedConfig } from './state-folder.ts';
import type { Step } from './step.ts';

/** The platform's ports must be free, unless it is the platform that has them. */
export const checkPorts: Step = {
  title: 'Ports',
  run: async (context) => {
    const node = await context.node().catch(() => undefined);
    if (node !== undefined && (await node.supervisor.isRunning())) return 'already';
    const config = node?.config ?? (await plannedConfig(context));
    const taken = await listTaken(portsOf(config));
    if (taken.length === 0) return 'already';
    throw new Refusal(
      taken.map(({ port, by }) => `port ${port} is taken by ${by}`).join('; '),
      'stop what has them (for a service: systemctl disable --now NAME)',
    );
  },
};

function portsOf(config: ClusterConfig): number[] {
  const { router, bus, controller, aok, logyard, primary } = config;
  return [router.httpPort, router.httpsPort, bus.port, controller.port, aok.port, logyard.port, primary.supervisorPort];
}

async function listTaken(ports: readonly number[]): Promise<{ port: number; by: string }[]> {
  const { stdout } = await exec(['ss', '-H', '-l', '-t', '-n', '-p']);
  const listening = stdout.split('\n').map((line) => {
    const [, , , local = ''] = line.trim().split(/\s+/);
    const [, name, pid] = /users:\(\("([^"]*)",pid=(\d+)/.exec(line) ?? [];
    return {
      port: Number(local.slice(local.lastIndexOf(':') + 1)),
      by: name ? `${name} (pid ${pid})` : 'another program',
    };
  });
  return ports.flatMap((port) => listening.find((one) => one.port === port) ?? []);
}
