import { subjects } from '../contract/subjects.ts';
import { writeOwnedFile } from '../platform/owned-files.ts';
import { getUser } from '../platform/system-user.ts';
import { primaryIsSilent } from './config-client.ts';
import { type Node, openNode } from './node.ts';
import { ReadinessProbe } from './readiness.ts';

const TIMEOUT_MS = 5000;

/**
 * Brings this node's copy of the settings up to date with the primary.
 *
 * @returns the node with them
 * @throws Refusal when the primary does not answer
 */
export async function copySettings(node: Node): Promise<Node> {
  await using probe = new ReadinessProbe(node);
  const bus = await probe.bus();
  const [answer] = bus === undefined ? [] : await bus.request(subjects.configGet, [], {}, { timeoutMs: TIMEOUT_MS });
  if (answer === undefined) throw primaryIsSilent();
  const { gid } = await getUser('stackato');
  const text = `${JSON.stringify(answer.config, null, 2)}\n`;
  await writeOwnedFile(node.paths.clusterFile, text, { owner: { uid: 0, gid }, mode: 0o640 });
  return openNode(node.paths.state);
}
