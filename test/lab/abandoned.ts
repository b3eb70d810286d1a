import { removeAbandonedFences } from '../../src/container/fence/testing/test-fence.ts';
import { LabNode } from './node.ts';

/** Removes the nodes and containers of test runs and labs that were ended before they could do so themselves. */
export async function removeAbandoned(said: (text: string) => void): Promise<void> {
  if (process.getuid?.() !== 0) return;
  const attempt = async (what: string, step: () => Promise<void>) => {
    try {
      await step();
    } catch (error) {
      said(`something is left of ${what}: ${error instanceof Error ? error.message : error}`);
    }
  };
  for (const node of LabNode.abandoned()) {
    said(`removing ${node.name}, which was left behind`);
    await attempt(node.name, () => node.remove());
  }
  await attempt('containers', removeAbandonedFences);
}
