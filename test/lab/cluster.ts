import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabNode, type Outcome } from './node.ts';
import type { LabTopology } from './topologies.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SETUP_TIMEOUT_MS = 1_200_000;

/** The first administrator of every cluster in the lab. */
export const admin = { email: 'admin@example.com', password: 'correct horse battery' };

type NodeOptions = Parameters<typeof LabNode.create>[0] & {};

/** A cluster of lab nodes, made by the real commands: a Core, and nodes attached to it; removed when disposed. */
export class Cluster implements AsyncDisposable {
  readonly domain = 'stackato.localhost';
  readonly core: LabNode;
  readonly attached: LabNode[] = [];

  readonly #options: NodeOptions;

  private constructor(options: NodeOptions) {
    this.#options = options;
    this.core = LabNode.create(options);
  }

  static async open(options: NodeOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(options);
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

  /** @param options.said hears of each node when it is ready */
  static async make(
    { core, nodes }: LabTopology,
    { said = () => {}, ...options }: NodeOptions & { said?: (text: string) => void } = {},
  ): Promise<Cluster> {
    const cluster = await Cluster.open(options);
    try {
      if (core.length > 0) {
        succeeded(await cluster.core.kato(['role', 'add', ...core], { timeoutMs: SETUP_TIMEOUT_MS }));
      }
      if (nodes.some((roles) => roles.includes('controller'))) await cluster.shareBlobs();
      said(`${cluster.core.address}  Core, with ${['primary', 'controller', 'router', ...core].join(', ')}`);
      for (const roles of nodes) said(`${(await cluster.attach(...roles)).address}  ${roles.join(', ')}`);
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Puts the blobs where further controllers find them: a folder of this machine, as each would mount a file server's. */
  async shareBlobs(): Promise<void> {
    const { core } = this;
    const folder = join(dirname(core.state), 'shared-blobs');
    for (const command of [
      ['cp', '-a', join(core.state, 'blobs'), folder],
      [`${ROOT}/bin/kato`, 'config', 'set', 'blobs.folder', folder],
      [`${ROOT}/bin/kato`, 'restart', 'controller'],
    ]) {
      succeeded(await core.run(command));
    }
  }

  /** One more machine with these roles. */
  async attach(...roles: string[]): Promise<LabNode> {
    const token = succeeded(await this.core.kato(['node', 'token'])).stdout.trim();
    const node = LabNode.create(this.#options);
    this.attached.push(node);
    const args = ['node', 'attach', this.core.address, '-e', ...roles, '--token-stdin'];
    succeeded(await node.kato(args, { input: token, timeoutMs: SETUP_TIMEOUT_MS }));
    return node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.attached) await node.remove();
    await this.core.remove();
  }
}

/** What a command said, when it ended well. @throws Error with all of it otherwise */
export function succeeded(outcome: Outcome): Outcome {
  if (outcome.code === 0) return outcome;
  throw new Error(`exit code ${outcome.code}\n${outcome.stdout}\n${outcome.stderr}`);
}
