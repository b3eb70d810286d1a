import type { TopologyNode } from '../../contract/topology.ts';
import { describeNode } from '../../core/cluster-rules.ts';
import type { LifecycleOptions } from '../lifecycle.ts';
import type { Node } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { RegistryClient } from './registry-client.ts';
import { runOnNode } from './remote.ts';

const SILENCE_MS = 90_000;

/** How a command ended on another node. */
export type OtherNode = Pick<TopologyNode, 'id' | 'address' | 'name'> & {
  readonly done: boolean;
  /** Why not. */
  readonly because?: string;
};

/**
 * Runs a kato command on the other nodes of the cluster that are meant, from its Core, all at once; one that fails or is
 * away stops nothing.
 */
export async function runOnOthers(
  node: Node,
  args: readonly string[],
  options: LifecycleOptions,
  isMeant: (other: TopologyNode) => boolean = () => true,
): Promise<OtherNode[]> {
  if (node.file.isMicro) return [];
  const { nodes } = await new RegistryClient(node).topology();
  const others = nodes.filter((other) => other.id !== node.file.id && isMeant(other));
  if (others.length === 0) return [];
  await using probe = new ReadinessProbe(node);
  const bus = await probe.bus();
  // The bus goes with the probe.
  return await Promise.all(
    others.map(async (other): Promise<OtherNode> => {
      const { id, address, name } = other;
      if (bus === undefined) return { id, address, name, done: false, because: 'the bus does not answer' };
      options.say(`${describeNode(other)}: kato ${args.join(' ')}`);
      const { code, stderr } = await runOnNode(bus, other, {
        args,
        heard: (text) => options.say(text.trimEnd().replaceAll(/^/gm, `${address}: `)),
        silenceMs: SILENCE_MS,
        signal: options.signal,
      });
      if (code === 0) return { id, address, name, done: true };
      const because = code === undefined ? stderr || 'fell silent' : (stderr.trim().split('\n').at(-1) ?? '');
      return { id, address, name, done: false, because: because || `exit code ${code}` };
    }),
  );
}
