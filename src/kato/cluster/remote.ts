import type { Bus } from '../../bus/bus.ts';
import { subjects } from '../../contract/subjects.ts';
import type { Topology, TopologyNode } from '../../contract/topology.ts';
import { describeNode } from '../../core/cluster-rules.ts';
import { systemRandom } from '../../platform/random.ts';
import { Refusal } from '../refusal.ts';

const ACCEPT_TIMEOUT_MS = 10_000;

export type RemoteOutcome = {
  readonly node: TopologyNode;
  /** Undefined when the node did not answer or went silent. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
};

/** The nodes of the cluster that are meant: by address, name, index or id; `all` is every one. */
export function nodesNamed(topology: Topology, names: readonly string[]): TopologyNode[] {
  if (names.includes('all')) return topology.nodes;
  return names.map((name) => {
    const exact = topology.nodes.filter((node) => node.address === name || String(node.index) === name);
    const found =
      exact.length > 0 ? exact : topology.nodes.filter((node) => node.name === name || node.id.startsWith(name));
    const [node] = found;
    if (node !== undefined && found.length === 1) return node;
    throw new Refusal(
      found.length === 0
        ? `the cluster has no node '${name}'`
        : `'${name}' may be any of ${found.map(describeNode).join('; ')}`,
      '`kato node list` shows them; an address is always clear',
    );
  });
}

/**
 * Runs a kato command on another node and waits for its end.
 *
 * @param options `heard` sees what it says on standard error, as it comes; `silenceMs`: longest wait for the next word
 */
export async function runOnNode(
  bus: Bus,
  node: TopologyNode,
  options: {
    args: readonly string[];
    heard: (text: string) => void;
    silenceMs: number;
    signal: AbortSignal;
  },
): Promise<RemoteOutcome> {
  const command = systemRandom.hex(16);
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const said = { stdout: '', stderr: '' };
  const giveUp = () => resolve(undefined);
  let silence = setTimeout(giveUp, options.silenceMs);
  using _subscription = bus.subscribe(
    subjects.nodeOutput,
    [command],
    ({ stdout = '', stderr = '', code }) => {
      clearTimeout(silence);
      silence = setTimeout(giveUp, options.silenceMs);
      said.stdout += stdout;
      said.stderr += stderr;
      if (stderr !== '') options.heard(stderr);
      if (code !== undefined) resolve(code);
    },
    { serial: true },
  );
  options.signal.addEventListener('abort', giveUp, { once: true });
  try {
    const [accepted] = await bus.request(
      subjects.nodeRun,
      [node.id],
      { command, args: [...options.args] },
      { timeoutMs: ACCEPT_TIMEOUT_MS },
    );
    if (accepted === undefined) return { node, code: undefined, stdout: '', stderr: 'does not answer' };
    if (accepted.refused !== undefined) return { node, code: 1, stdout: '', stderr: accepted.refused };
    const code = await promise;
    return { node, code, ...said };
  } finally {
    clearTimeout(silence);
    options.signal.removeEventListener('abort', giveUp);
  }
}
