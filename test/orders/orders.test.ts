import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { admin, Cluster, succeeded } from '../lab/cluster.ts';
import type { LabNode } from '../lab/node.ts';

/**
 * Random orders of what operators do to the nodes of a cluster. After each step `kato status --all` must tell exactly
 * what is, `kato inspect` must find nothing wrong, and the app must answer. `ORDERS_SEED` and `ORDERS_STEPS` choose.
 */
const SEED = Number(process.env.ORDERS_SEED ?? Date.now() % 1_000_000);
const STEPS = Number(process.env.ORDERS_STEPS ?? 20);
const HOST = 'websocket-chat.stackato.localhost';
const COMMAND_MS = 300_000;
const SETTLED_MS = 60_000;
const given = ['router', 'dea', 'stager'] as const;

type Step = { readonly says: string; readonly run: () => Promise<void> };

describe(`a cluster through ${STEPS} random steps, seed ${SEED}`, () => {
  let cluster: Cluster;
  /** What the cluster must be: the roles of each node. */
  const roles = new Map<LabNode, Set<string>>();
  const random = randomFrom(SEED);
  const pick = <T>(items: readonly T[]): T => items[random(items.length)] ?? assert.fail('nothing to pick');

  before(async () => {
    cluster = await Cluster.make({ core: ['dea', 'stager'], nodes: [['dea'], ['router']] });
    const { core, attached } = cluster;
    roles.set(core, new Set(['base', 'primary', 'controller', 'router', 'dea', 'stager']));
    for (const [at, role] of ['dea', 'router'].entries()) {
      roles.set(attached[at] ?? assert.fail(), new Set(['base', role]));
    }
    succeeded(await core.stackato(['target', `api.${cluster.domain}`]));
    succeeded(await core.stackato(['login', admin.email, '--password-stdin'], { input: admin.password }));
    const cwd = fileURLToPath(new URL('../../samples/websocket-chat', import.meta.url));
    succeeded(await core.stackato(['push', '--instances', '2'], { cwd, timeoutMs: COMMAND_MS }));
  });
  after(() => cluster?.[Symbol.asyncDispose]());

  const kato = async (node: LabNode, ...args: string[]) => {
    succeeded(await node.kato(args, { timeoutMs: COMMAND_MS }));
  };
  const rolesOf = (node: LabNode) => roles.get(node) ?? assert.fail();
  const countOf = (role: string) => [...roles.values()].filter((own) => own.has(role)).length;

  function drawStep(): Step {
    const node = pick([...roles.keys()]);
    const role = pick(given);
    const own = rolesOf(node);
    const isCore = node === cluster.core;
    const at = node.address;
    const steps: Step[] = [
      { says: `${at} loses power, and starts again`, run: () => losePower(node) },
      { says: `${at} stops, and starts again`, run: () => kato(node, 'stop').then(() => kato(node, 'start')) },
      { says: `${at} restarts its roles`, run: () => kato(node, 'restart') },
    ];
    if (!own.has(role)) {
      steps.push({
        says: `${at} gets the role ${role}`,
        run: async () => {
          await kato(cluster.core, 'role', 'add', role, '-n', at);
          own.add(role);
        },
      });
    }
    if (own.has(role) && countOf(role) > 1 && !(isCore && role === 'router')) {
      steps.push({
        says: `${at} loses the role ${role}`,
        run: async () => {
          await kato(cluster.core, 'role', 'remove', role, '-n', at);
          own.delete(role);
        },
      });
    }
    const canLeave = !isCore && given.every((one) => !own.has(one) || countOf(one) > 1);
    if (canLeave) steps.push({ says: `${at} leaves, and joins with ${role}`, run: () => joinAgain(node, role) });
    return pick(steps);
  }

  /** Everything on it ends at once, its containers with it. */
  async function losePower(node: LabNode): Promise<void> {
    node.killAll();
    await kato(node, 'start');
  }

  async function joinAgain(node: LabNode, role: string): Promise<void> {
    await kato(node, 'node', 'detach');
    roles.delete(node);
    const token = succeeded(await cluster.core.kato(['node', 'token'])).stdout.trim();
    const args = ['node', 'attach', cluster.core.address, '-e', role, '--token-stdin'];
    succeeded(await node.kato(args, { input: token, timeoutMs: COMMAND_MS }));
    roles.set(node, new Set(['base', role]));
  }

  /** What is, as `kato status --all` tells it. */
  async function told(): Promise<Record<string, Record<string, string>>> {
    const { stdout } = await cluster.core.kato(['status', '--all', '--json']);
    const nodes: { address: string; roles: { role: string; state: string }[] }[] = JSON.parse(stdout);
    return Object.fromEntries(
      nodes.map((node) => [
        node.address,
        Object.fromEntries(node.roles.map(({ role, state }) => [role, state]).toSorted()),
      ]),
    );
  }

  const expected = () =>
    Object.fromEntries(
      [...roles].map(([node, own]) => [
        node.address,
        Object.fromEntries([...own].toSorted().map((role) => [role, 'READY'])),
      ]),
    );

  async function check(step: string): Promise<void> {
    const endMs = Date.now() + SETTLED_MS;
    for (;;) {
      try {
        assert.deepEqual(await told(), expected(), step);
        const answer = ['-s', '-m', '10', '-o', '/dev/null', '-w', '%{http_code}', '-H', `Host: ${HOST}`];
        const { stdout } = await cluster.core.run(['curl', ...answer, 'http://127.0.0.1/']);
        assert.equal(stdout, '200', `the app after: ${step}`);
        break;
      } catch (error) {
        if (Date.now() > endMs) throw error;
        await new Promise((done) => setTimeout(done, 500));
      }
    }
    for (const node of roles.keys()) {
      const { code, stdout } = await node.kato(['inspect']);
      assert.equal(code, 0, `inspect of ${node.address} after: ${step}\n${stdout}`);
    }
  }

  for (let number = 1; number <= STEPS; number++) {
    test(`step ${number}`, async (context) => {
      const step = drawStep();
      context.diagnostic(step.says);
      await step.run();
      await check(step.says);
    });
  }
});

/** Numbers below n, the same ones for the same seed (mulberry32). */
function randomFrom(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) % n;
  };
}
