import type { Command } from 'commander';
import { subjects } from '../../contract/subjects.ts';
import { platformVersion } from '../../contract/version.ts';
import { readTopology } from '../cluster/registry-client.ts';
import { openNode } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { table } from '../terminal.ts';
import { describe, terminalOf } from './command.ts';

const GATHER_MS = 2000;

/** `kato node version`. */
export function versionsCommand(group: Command): void {
  group
    .command('version')
    .summary('the version of each node')
    .description(
      describe('Shows the version of each node of the cluster.', 'kato node version', 'kato node version --json'),
    )
    .action(async (_flags: unknown, command: Command) => {
      const node = await openNode();
      const { nodes } = await readTopology(node);
      await using probe = new ReadinessProbe(node);
      const bus = nodes.length > 1 ? await probe.bus() : undefined;
      const options = { timeoutMs: GATHER_MS, expected: nodes.length };
      const answers = (await bus?.request(subjects.nodeFind, [], {}, options)) ?? [];
      const value = nodes.map(({ id, index, address, name }) => {
        const told = answers.find((one) => one.node === id)?.version;
        const version = told ?? (id === node.file.id ? platformVersion : null);
        return { id, index, address, name, version };
      });
      const rows = value.map((one) => [String(one.index), one.address, one.name, one.version ?? 'no answer']);
      terminalOf(command).result(table([['NODE', 'ADDRESS', 'NAME', 'VERSION'], ...rows]), value);
    });
}
