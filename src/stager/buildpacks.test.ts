import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Egress } from '../container/container.ts';
import { openTestFence, type TestFence } from '../container/fence/testing/test-fence.ts';
import { defaultStackCache } from '../container/stack/build-stack.ts';
import { caBundlePath } from '../core/staging-env.ts';
import { sourceRoot } from '../platform/paths.ts';
import { zipFolder } from './testing/folder-zip.ts';
import { runDroplet } from './testing/run-droplet.ts';
import { stagerWorld } from './testing/stager-world.ts';

const everywhere: Egress[] = [{ protocol: 'all', destination: '0.0.0.0/0' }];

const samples: readonly { name: string; detected: string; answer: RegExp; asksHttp?: false }[] = [
  { name: 'node-express', detected: 'Node.js', answer: /^200 Hello from Express, instance 7/ },
  { name: 'python-flask', detected: 'Python', answer: /^200 Hello from Flask, instance 7/ },
  { name: 'static-site', detected: 'Static files', answer: /^200 [\s\S]*Hello from a static site/ },
  { name: 'welcome', detected: 'Static files', answer: /^200 [\s\S]*Your cloud is running/ },
  { name: 'go-web', detected: 'Go', answer: /^200 Hello from Go, instance 7/ },
  { name: 'ruby-sinatra', detected: 'Ruby', answer: /^200 Hello from Sinatra, instance 7/ },
  { name: 'php-page', detected: 'PHP', answer: /^200 Hello from PHP, instance 7/ },
  { name: 'java-jar', detected: 'Java (Maven)', answer: /^200 Hello from Java, instance 7/ },
  { name: 'websocket-chat', detected: 'Node.js', answer: /^200 [\s\S]*<title>Chat/ },
  { name: 'worker', detected: 'Node.js', answer: /^worker 7 started/, asksHttp: false },
  { name: 'binary-procfile', detected: 'Binary', answer: /^200 Hello from a shell script, instance 7/ },
];

/** The stack as set-up built it; building one takes minutes, which is not these tests' business. */
const stack = globSync('stacks/stackato-*.tar', { cwd: defaultStackCache })[0];
const isRoot = process.getuid?.() === 0;
const skip = !isRoot ? 'containers need root' : stack === undefined ? 'the stack is not built yet' : false;

describe('samples, staged and run in containers of the real stack', { skip }, () => {
  let fence: TestFence;
  before(async () => {
    fence = await openTestFence({ storeMb: 12_000, caFile: caBundlePath, network: '10.247.0.0/22' });
    await fence.engine.importStack('stackato', { tar: join(defaultStackCache, stack ?? '') });
  });
  after(() => fence[Symbol.asyncDispose]());

  for (const { name, detected, answer, asksHttp = true } of samples) {
    test(`${name} is detected, built, answers, and ends on SIGTERM`, async () => {
      await using world = await stagerWorld({ engine: fence.engine, staging: { caFile: caBundlePath } });
      world.blobs.files.set('package', await zipFolder(join(sourceRoot, 'samples', name)));
      const setup = await world.stage(world.request({ disk_limit: 2048, egress_network_rules: everywhere }));
      assert.equal(setup?.error, null);
      const result = await world.blobs.result('task-1');
      assert.equal(result.error, null, result.error ?? '');
      assert.equal(result.detected_buildpack, detected);
      const droplet = world.blobs.files.get('droplet') ?? Buffer.alloc(0);
      const command = result.detected_start_command ?? '';
      const run = { droplet, command, folder: world.folder, handle: `run-${name}`, egress: everywhere, asksHttp };
      const outcome = await runDroplet(fence.engine, run);
      assert.match(outcome.answer, answer);
      assert.ok([0, 143].includes(outcome.code), `exit status ${outcome.code}\n${outcome.output.join('\n')}`);
    });
  }
});
