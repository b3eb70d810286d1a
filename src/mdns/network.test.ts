import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exec, start } from '../platform/exec.ts';

const skip = process.getuid?.() === 0 ? false : 'network namespaces need root';
const script = (name: string) => fileURLToPath(new URL(`./testing/${name}`, import.meta.url));

test('machines in one network find each other’s names, and tell when two want the same', { skip }, async () => {
  await using network = await Network.open();
  await using owner = await network.run('a', 'responder-process.ts', ['me.local', 'api.me.local']);
  assert.deepEqual(await owner.line(), { held: ['me.local', 'api.me.local'], taken: [] });
  assert.equal(await network.ask('b', 'api.me.local'), network.address('a'));
  assert.equal(await network.ask('b', 'other.local', 1000), 'none');
  assert.equal(await network.ask('a', 'me.local'), network.address('a'));

  await using second = await network.run('b', 'responder-process.ts', ['me.local', 'b.local']);
  assert.deepEqual(await second.line(), {
    held: ['b.local'],
    taken: [{ name: 'me.local', by: network.address('a') }],
  });
  assert.equal(await network.ask('a', 'b.local'), network.address('b'));
});

test('a machine that leaves takes leave', { skip }, async () => {
  await using network = await Network.open();
  await using owner = await network.run('a', 'responder-process.ts', ['me.local']);
  await owner.line();
  await using listener = await network.run('b', 'query-process.ts', ['me.local', 'listen', network.address('b')]);
  assert.equal(await listener.text(), 'listening');
  owner.end();
  let said = '';
  while (!said.endsWith(' 0')) said = await listener.text();
  assert.equal(said, `${network.address('a')} 0`);
});

/** Two network namespaces and a cable between them. */
class Network implements AsyncDisposable {
  static #count = 0;
  readonly #prefix = `mdns${process.pid}-${Network.#count++}`;

  static async open(): Promise<Network> {
    const network = new Network();
    const [a, b] = [network.#name('a'), network.#name('b')];
    await exec(['ip', 'netns', 'add', a]);
    await exec(['ip', 'netns', 'add', b]);
    await exec(['ip', '-n', a, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', b]);
    for (const side of ['a', 'b'] as const) {
      const name = network.#name(side);
      await exec(['ip', '-n', name, 'address', 'add', `${network.address(side)}/24`, 'dev', 'eth0']);
      await exec(['ip', '-n', name, 'link', 'set', 'lo', 'up']);
      await exec(['ip', '-n', name, 'link', 'set', 'eth0', 'up']);
    }
    return network;
  }

  address(side: 'a' | 'b'): string {
    return side === 'a' ? '10.77.0.1' : '10.77.0.2';
  }

  async ask(side: 'a' | 'b', name: string, patienceMs = 10_000): Promise<string> {
    const argv = [...this.#enter(side), script('query-process.ts'), name, String(patienceMs), this.address(side)];
    return (await exec(argv)).stdout.trim();
  }

  async run(side: 'a' | 'b', file: string, args: readonly string[]): Promise<Running> {
    return new Running(start([...this.#enter(side), script(file), ...args], {}, ['pipe', 'pipe', 'inherit']));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const side of ['a', 'b'] as const) await exec(['ip', 'netns', 'delete', this.#name(side)]);
  }

  #name(side: string): string {
    return `${this.#prefix}${side}`;
  }

  #enter(side: string): string[] {
    return ['nsenter', `--net=/run/netns/${this.#name(side)}`, '--', process.execPath];
  }
}

/** A process and the lines that it says. */
class Running implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout === null) throw new Error('no standard output');
    this.#lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  }

  async text(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error('the process ended');
    return value;
  }

  async line(): Promise<unknown> {
    return JSON.parse(await this.text());
  }

  end(): void {
    this.#child.stdin?.end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    this.end();
    await once(this.#child, 'exit');
  }
}
