import type { PayloadOf } from '../contract/subject.ts';
import type { subjects } from '../contract/subjects.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { NodeStore } from './store/node-store.ts';

type NodeStatus = PayloadOf<typeof subjects.nodeStatus>;
const WRITE_EVERY_MS = 60_000;

/** Knows the nodes by what they say of themselves; writes down what changed, and once a minute that they live. */
export class NodeRegistry {
  readonly #options: { store: NodeStore; clock: Clock; log: Log };
  readonly #known = new Map<string, { facts: string; writtenAtMs: number }>();

  constructor(options: { store: NodeStore; clock: Clock; log: Log }) {
    this.#options = options;
  }

  async saw({ node, address, version, roles }: NodeStatus): Promise<void> {
    const { store, clock, log } = this.#options;
    const facts = JSON.stringify([address, version, roles]);
    const known = this.#known.get(node);
    const nowMs = clock.nowMs();
    if (known?.facts === facts && nowMs - known.writtenAtMs < WRITE_EVERY_MS) return;
    await store.saw({ id: node, address, version, roles }, new Date(nowMs));
    if (known?.facts !== facts) log.info('saw-node', { node, address, version, roles });
    this.#known.set(node, { facts, writtenAtMs: nowMs });
  }

  varz(): Record<string, unknown> {
    return { nodes: this.#known.size };
  }
}
