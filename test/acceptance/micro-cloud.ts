import { readFileSync } from 'node:fs';
import { LabNode, type Outcome } from '../lab/node.ts';

export const admin = { email: 'admin@example.com', password: 'correct horse battery' };
const SETUP_TIMEOUT_MS = 1_200_000;

/** A micro cloud in a lab node, set up by the real command; removed when disposed. */
export class MicroCloud implements AsyncDisposable {
  readonly node: LabNode;
  readonly domain: string;

  private constructor(node: LabNode, domain: string) {
    this.node = node;
    this.domain = domain;
  }

  /** @param flags more of the set-up command */
  static async open(
    options: { domain?: string; disk?: string } = {},
    flags: readonly string[] = [],
  ): Promise<MicroCloud> {
    const cloud = new MicroCloud(LabNode.create(options), options.domain ?? 'stackato.localhost');
    try {
      const outcome = await cloud.setUp(flags);
      if (outcome.code !== 0) throw new Error(`set-up failed:\n${outcome.stderr}\n${outcome.stdout}`);
      return cloud;
    } catch (error) {
      await cloud[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs the set-up command. */
  setUp(more: readonly string[] = []): Promise<Outcome> {
    const who = ['--email', admin.email, '--org', 'acme', '--password-stdin', '--domain', this.domain];
    return this.node.kato(['node', 'setup', 'micro', '--yes', ...who, ...more], {
      input: admin.password,
      timeoutMs: SETUP_TIMEOUT_MS,
    });
  }

  /** GET through the router; gives status and body. */
  async get(host: string, path = '/'): Promise<{ status: number; body: string }> {
    const format = '\n%{http_code}';
    const argv = ['curl', '-s', '-m', '10', '-H', `Host: ${host}`, '-w', format, `http://127.0.0.1${path}`];
    const { stdout } = await this.node.run(argv);
    const at = stdout.lastIndexOf('\n');
    return { status: Number(stdout.slice(at + 1)), body: stdout.slice(0, at) };
  }

  /** Asks until the status is this one. */
  async untilStatus(host: string, status: number, timeoutMs = 30_000): Promise<{ status: number; body: string }> {
    const endMs = Date.now() + timeoutMs;
    for (;;) {
      const answer = await this.get(host);
      if (answer.status === status) return answer;
      if (Date.now() > endMs) throw new Error(`${host} still answers ${answer.status}: ${answer.body.slice(0, 300)}`);
      await new Promise((done) => setTimeout(done, 200));
    }
  }

  hostsFile(): string {
    return readFileSync(this.node.hostsFile, 'utf8');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.node.remove();
  }
}
