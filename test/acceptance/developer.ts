import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LabNode, Outcome } from '../lab/node.ts';
import { admin } from './micro-cloud.ts';

const PATIENCE_MS = 120_000;

/** Somebody with the client who is logged in to a platform, and a folder for the source of apps. */
export class Developer implements Disposable {
  readonly node: LabNode;
  readonly folder = mkdtempSync(join(tmpdir(), 'developer-'));

  private constructor(node: LabNode) {
    this.node = node;
  }

  static async logIn(node: LabNode): Promise<Developer> {
    const developer = new Developer(node);
    await developer.ok(['target', 'http://api.stackato.localhost']);
    await developer.ok([
      ...['login', admin.email, '--organization', 'acme', '--space', 'dev', '--password', admin.password],
    ]);
    return developer;
  }

  stackato(args: readonly string[], cwd?: string): Promise<Outcome> {
    return this.node.stackato(args, { timeoutMs: PATIENCE_MS, ...(cwd ? { cwd } : {}) });
  }

  /** What a command printed that went well. */
  async ok(args: readonly string[], cwd?: string): Promise<string> {
    const { code, stdout, stderr } = await this.stackato(args, cwd);
    assert.equal(code, 0, `${args.join(' ')}\n${stdout}\n${stderr}`);
    return stdout;
  }

  /** A folder with these files. */
  app(name: string, files: Readonly<Record<string, string | Buffer>>): string {
    const path = join(this.folder, name);
    rmSync(path, { recursive: true, force: true });
    mkdirSync(path, { recursive: true });
    for (const [file, content] of Object.entries(files)) writeFileSync(join(path, file), content);
    return path;
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
