import { LabNode, type Outcome } from '../lab/node.ts';
import { admin } from './micro-cloud.ts';

const SETUP_TIMEOUT_MS = 1_200_000;

/** A cluster of lab nodes, made by the real commands: a Core, and nodes attached to it; removed when disposed. */
export class Cluster implements AsyncDisposable {
  readonly domain = 'stackato.localhost';
  readonly core: LabNode;
  readonly #attached: LabNode[] = [];

  private constructor(core: LabNode) {
    this.core = core;
  }

  static async open(): Promise<Cluster> {
    const cluster = new Cluster(LabNode.create());
    try {
      const who = ['--email', admin.email, '--org', 'acme', '--password-stdin', '--yes'];
      const setUp = ['node', 'setup', 'core', `api.${cluster.domain}`, ...who];
      succeeded(await cluster.core.kato(setUp, { input: admin.password, timeoutMs: SETUP_TIMEOUT_MS }));
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** One more machine with these roles. */
  async attach(...roles: string[]): Promise<LabNode> {
    const token = succeeded(await this.core.kato(['node', 'token'])).stdout.trim();
    const node = LabNode.create();
    this.#attached.push(node);
    const args = ['node', 'attach', this.core.address, '-e', ...roles, '--token-stdin'];
    succeeded(await node.kato(args, { input: token, timeoutMs: SETUP_TIMEOUT_MS }));
    return node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.#attached) await node.remove();
    await this.core.remove();
  }
}

/** What a command said, when it ended well. @throws Error with all of it otherwise */
export function succeeded(outcome: Outcome): Outcome {
  if (outcome.code === 0) return outcome;
  throw new Error(`exit code ${outcome.code}\n${outcome.stdout}\n${outcome.stderr}`);
}
