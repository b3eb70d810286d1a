import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type Clock, systemClock } from '../../platform/clock.ts';
import { runStackato } from '../main.ts';
import { FakePlatform, password } from './fake-platform.ts';

export type Called = { readonly code: number; readonly out: string; readonly err: string; readonly json: unknown };

/** A clock on which nobody waits: sleeping moves it on. */
export function hurriedClock(): Clock {
  let aheadMs = 0;
  return {
    ...systemClock,
    nowMs: () => systemClock.nowMs() + aheadMs,
    sleep: async (ms, signal) => {
      await systemClock.sleep(1, signal);
      aheadMs += ms;
    },
  };
}

/** A user with a home folder, an app folder and a platform. */
export class FakeUser implements AsyncDisposable {
  readonly platform: FakePlatform;
  readonly home: string;
  readonly folder: string;
  variables: Record<string, string> = {};
  signal: AbortSignal = new AbortController().signal;
  clock: Clock = systemClock;
  /** Standard output of the call that runs. */
  output = '';

  constructor(platform: FakePlatform, root: string) {
    this.platform = platform;
    this.home = join(root, 'home');
    this.folder = join(root, 'app');
  }

  static async create(): Promise<FakeUser> {
    const root = await mkdtemp(join(tmpdir(), 'stackato-test-'));
    const user = new FakeUser(await new FakePlatform().listen(), root);
    await mkdir(user.folder);
    return user;
  }

  /** One who has logged in. */
  static async loggedIn(): Promise<FakeUser> {
    const user = await FakeUser.create();
    await user.call('target', user.platform.url);
    const { code, err } = await user.call('login', 'ann@example.com', '--password', password);
    if (code !== 0) throw new Error(err);
    user.platform.calls.length = 0;
    return user;
  }

  async call(...args: string[]): Promise<Called> {
    return this.callWith('', ...args);
  }

  async callWith(input: string, ...args: string[]): Promise<Called> {
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    this.output = '';
    stdout.on('data', (chunk: Buffer) => {
      this.output += chunk.toString();
    });
    const said = Promise.all([text(stdout), text(stderr)]);
    const code = await runStackato(args, this.signal, {
      stdin: Readable.from([input]),
      stdout,
      stderr,
      noColor: true,
      clock: this.clock,
      folder: this.folder,
      home: this.home,
      clusterCaFile: join(this.home, 'no-ca.pem'),
      stackatoVariable: (name) => this.variables[`STACKATO_${name}`],
      variable: (name) => this.variables[name],
    });
    stdout.end();
    stderr.end();
    const [out, err] = await said;
    return {
      code,
      out,
      err,
      json: args.includes('--json') && !args.includes('--follow') ? JSON.parse(out) : undefined,
    };
  }

  /** Writes files into the app's folder; `-> target` makes a link. */
  async write(files: Readonly<Record<string, string>>, mode?: number): Promise<void> {
    for (const [name, content] of Object.entries(files)) {
      const path = join(this.folder, name);
      await mkdir(dirname(path), { recursive: true });
      if (content.startsWith('-> ')) await symlink(content.slice(3), path);
      else await writeFile(path, content);
      if (mode !== undefined) await chmod(path, mode);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.platform[Symbol.asyncDispose]();
    await rm(join(this.home, '..'), { recursive: true, force: true });
  }
}
