import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { ContainerError } from '../container/container.ts';
import type { FakeProcess } from '../container/fake.ts';
import { subjects } from '../contract/subjects.ts';
import { systemClock } from '../platform/clock.ts';
import { lyingZip, stagerWorld, zip } from './testing/stager-world.ts';

const executable = (text: string) => ({ text: `#!/bin/bash\n${text}\n`, mode: 0o100755 });

test('a package becomes a droplet: detected, compiled, released, uploaded, told twice', async () => {
  await using world = await stagerWorld();
  world.blobs.files.set(
    'package',
    await zip({ Procfile: 'web: ./run --port $PORT\nworker: ./work\n', run: executable('') }),
  );
  const replies = await world.bus.request(subjects.stagingStart, ['stager-1'], world.request(), {
    timeoutMs: 20_000,
    expected: 2,
  });
  assert.deepEqual(
    replies.map((reply) => [reply.task_id, reply.error]),
    [
      ['task-1', null],
      ['task-1', null],
    ],
  );
  const result = await world.blobs.result('task-1');
  assert.equal(result.error, null);
  assert.equal(result.detected_buildpack, 'Binary');
  assert.equal(result.detected_start_command, './run --port $PORT');
  assert.deepEqual(result.procfile, { web: './run --port $PORT', worker: './work' });
  const droplet = world.blobs.files.get('droplet') ?? Buffer.alloc(0);
  assert.equal(result.droplet_sha256, createHash('sha256').update(droplet).digest('hex'));
  assert.equal(result.droplet_sha1, createHash('sha1').update(droplet).digest('hex'));
  assert.equal(result.droplet_bytes, droplet.length);
  const files = await world.droplet();
  assert.ok(files.has('./app/run') && files.has('./app/Procfile'));
  assert.match(files.get('./staging_info.yml') ?? '', /"start_command": "\.\/run --port \$PORT"/);
  assert.ok(world.lines.includes('STG OUT Exit status 0'), world.lines.join('\n'));
  assert.ok(world.lines.some((line) => line.startsWith('STG OUT -----> Using the app as it is')));
  assert.deepEqual(await world.engine.list(), []);
});

test("a build reaches what its space may reach, and the operator's registries wherever they are", async () => {
  const space = [{ protocol: 'tcp' as const, destination: '198.51.100.0/24', ports: '443' }];
  let egress: unknown;
  const script = (process: FakeProcess) => {
    egress = process.spec.egress;
    process.exit(1);
  };
  await using world = await stagerWorld({ script, staging: { gemSource: 'http://10.1.2.3:9292/' } });
  world.blobs.files.set('package', await zip({ Gemfile: '' }));
  await world.stage(world.request({ egress_network_rules: space }));
  await world.blobs.result('task-1');
  assert.deepEqual(egress, [...space, { protocol: 'tcp', destination: '10.1.2.3', ports: '9292' }]);
});

test('an app that no buildpack knows fails, naming what each one looked for', async () => {
  await using world = await stagerWorld();
  world.blobs.files.set('package', await zip({ 'readme.txt': 'hello' }));
  await world.stage(world.request());
  const { error_info } = await world.blobs.result('task-1');
  assert.equal(error_info?.type, 'NoAppDetectedError');
  assert.match(error_info?.message ?? '', /nodejs_buildpack: no package\.json in the top folder/);
});

test('uploaded buildpacks of both forms work one after the other, and get their cache back', async () => {
  await using world = await stagerWorld();
  const supplier = await zip({
    'top/bin/supply': executable(
      'mkdir -p "$3/$4/bin"; printf "#!/bin/sh\\necho tool\\n" > "$3/$4/bin/tool"; chmod +x "$3/$4/bin/tool"',
    ),
    'top/VERSION': '7.8.9',
  });
  const old = await zip({
    'bin/detect': executable('echo Old'),
    'bin/compile': executable('tool > "$1/from-tool"; cat "$2/count" 2>/dev/null; echo again >> "$2/count"'),
    'bin/release': executable('printf -- \'---\\ndefault_process_types:\\n  web: "old start"\\n\''),
  });
  const packs = { supplier, old };
  for (const [name, bytes] of Object.entries(packs)) world.blobs.files.set(name, bytes);
  world.blobs.files.set('package', await zip({ a: 'b' }));
  const admin_buildpacks = Object.entries(packs).map(([name, bytes]) => ({
    key: `key-${name}`,
    name,
    url: world.blobs.url(name),
    sha256: createHash('sha256').update(bytes).digest('hex'),
  }));
  const request = world.request({ admin_buildpacks, properties: { buildpacks: ['supplier', 'old'] } });
  await world.stage(request);
  const first = await world.blobs.result('task-1');
  assert.equal(first.error, null);
  assert.deepEqual([first.buildpack_key, first.detected_start_command], ['key-old', 'old start']);
  assert.deepEqual(
    first.buildpacks?.map((one) => [one.name, one.version]),
    [
      ['supplier', '7.8.9'],
      ['old', null],
    ],
  );
  assert.equal((await world.droplet()).get('./app/from-tool'), 'tool\n');
  await world.stage({ ...request, task_id: 'task-2' });
  await world.blobs.result('task-2');
  assert.ok(world.lines.includes('STG OUT again'), world.lines.join('\n'));
});

test('an uploaded buildpack with another content than announced is not used', async () => {
  await using world = await stagerWorld();
  world.blobs.files.set('package', await zip({ a: 'b' }));
  world.blobs.files.set('bp', await zip({ 'bin/compile': executable('') }));
  const admin_buildpacks = [{ key: 'k', name: 'bp', url: world.blobs.url('bp'), sha256: 'ab'.repeat(32) }];
  await world.stage(world.request({ admin_buildpacks }));
  assert.match((await world.blobs.result('task-1')).error ?? '', /the archive of buildpack bp is damaged/);
});

test('harmful packages are refused before a container is made', async () => {
  const cases: [Record<string, string | { text: string; mode: number }>, RegExp][] = [
    [{ '../evil': 'x' }, /invalid relative path/],
    [{ device: { text: '', mode: 0o020644 } }, /'device' is not a file, folder or link/],
    [{ link: { text: '../../etc/passwd', mode: 0o120777 } }, /links to '\.\.\/\.\.\/etc\/passwd', outside/],
    [{ link: { text: '/etc', mode: 0o120777 } }, /links to '\/etc', outside/],
    [{ a: { text: 'b', mode: 0o120777 }, 'a/c': 'x' }, /written through a link/],
    [{}, /it is empty/],
  ];
  await using world = await stagerWorld({ script: () => assert.fail('a container was started') });
  for (const [i, [entries, expected]] of cases.entries()) {
    world.blobs.files.set('package', await zip(entries));
    await world.stage(world.request({ task_id: `bad-${i}` }));
    const { error, error_info } = await world.blobs.result(`bad-${i}`);
    assert.match(error ?? '', expected);
    assert.equal(error_info?.type, 'AppPackageInvalid');
  }
});

test('a package that unpacks to more than it declares is refused, whichever way it lies', async () => {
  await using world = await stagerWorld();
  const honest = await zip({ Procfile: 'web: x\n', bomb: 'z'.repeat(5_000_000), other: 'y'.repeat(1_000_000) });
  for (const [i, name] of ['bomb', 'other'].entries()) {
    world.blobs.files.set('package', lyingZip(honest, name, 10));
    await world.stage(world.request({ task_id: `bomb-${i}` }));
    const { error, error_info } = await world.blobs.result(`bomb-${i}`);
    assert.match(error ?? '', /The app package is invalid: it unpacks to more than it declares/);
    assert.equal(error_info?.type, 'AppPackageInvalid');
    assert.equal(world.blobs.files.has('droplet'), false);
  }
  assert.deepEqual(await world.engine.list(), []);
});

test('a buildpack that fails is named with the last lines it printed', async () => {
  await using world = await stagerWorld();
  world.blobs.files.set('package', await zip({ a: 'b' }));
  world.blobs.files.set('bp', await zip({ 'bin/compile': executable('echo cannot find the flux; exit 4') }));
  const admin_buildpacks = [{ key: 'k', name: 'flux', url: world.blobs.url('bp'), sha256: null }];
  await world.stage(world.request({ admin_buildpacks, properties: { buildpacks: ['flux'] } }));
  const { error_info } = await world.blobs.result('task-1');
  assert.equal(error_info?.type, 'BuildpackCompileFailed');
  assert.match(error_info?.message ?? '', /flux could not build the app[\s\S]*cannot find the flux[\s\S]*status 4/);
});

test('a droplet that a build replaced by a link is not read', async () => {
  await using world = await stagerWorld({
    script: async (process, root) => {
      const { symlink, writeFile } = await import('node:fs/promises');
      await writeFile(`${root}/staging/out/detected-at`, '0');
      await symlink('/etc/hostname', `${root}/staging/out/packed.tgz`);
      process.exit(0);
    },
  });
  world.blobs.files.set('package', await zip({ a: 'b' }));
  await world.stage(world.request());
  assert.notEqual((await world.blobs.result('task-1')).error, null);
  assert.equal(world.blobs.files.get('droplet'), undefined);
});

test('staging ends at its time limit and says what it was doing', async () => {
  const said = Promise.withResolvers<void>();
  await using world = await stagerWorld({
    script: (process) => process.print('still thinking'),
    // Only the limit is so long; it is over once the build was heard, however long that took to begin.
    clock: { ...systemClock, sleep: (ms, signal) => (ms === 1000 ? said.promise : systemClock.sleep(ms, signal)) },
  });
  world.bus.subscribe(subjects.appLog, ['*'], ({ lines }) => {
    if (lines.some(({ text }) => text === 'still thinking')) said.resolve();
  });
  world.blobs.files.set('package', await zip({ Procfile: 'web: x\n' }));
  await world.stage(world.request({ timeout_s: 1 }));
  const { error_info } = await world.blobs.result('task-1');
  assert.equal(error_info?.type, 'StagingTimeExpired');
  assert.match(error_info?.message ?? '', /limit of 1 s[\s\S]*still thinking/);
  assert.deepEqual(await world.engine.list(), []);
});

test('staging.stop cancels the named task only', async () => {
  const started = Promise.withResolvers<void>();
  await using world = await stagerWorld({ script: () => started.resolve() });
  world.blobs.files.set('package', await zip({ Procfile: 'web: x\n' }));
  await world.stage(world.request());
  await started.promise;
  world.bus.publish(subjects.stagingStop, [], { app_id: 'app-1', task_id: 'another' });
  world.bus.publish(subjects.stagingStop, [], { app_id: 'app-1', task_id: 'task-1' });
  assert.equal((await world.blobs.result('task-1')).error, 'Staging was cancelled');
  assert.deepEqual(await world.engine.list(), []);
});

test('memory that runs out is named', async () => {
  await using world = await stagerWorld({ script: (process) => process.exit(137, { outOfMemory: true }) });
  world.blobs.files.set('package', await zip({ Procfile: 'web: x\n' }));
  await world.stage(world.request());
  assert.match((await world.blobs.result('task-1')).error ?? '', /ran out of its 1024 MB of memory/);
});

test("a full disk of the stager is an operator's matter", async () => {
  await using world = await stagerWorld();
  world.engine.failNext('create', new ContainerError('disk-full', 'no room'));
  world.blobs.files.set('package', await zip({ Procfile: 'web: x\n' }));
  await world.stage(world.request());
  assert.match((await world.blobs.result('task-1')).error ?? '', /stager's disk is full/);
});

test('what does not fit is refused in the first reply, and the same task is not run twice', async () => {
  let starts = 0;
  await using world = await stagerWorld({ memoryMb: 1500, script: () => (starts += 1) });
  world.blobs.files.set('package', await zip({ Procfile: 'web: x\n' }));
  const heard: { available_memory: number; tasks?: string[] }[] = [];
  world.bus.subscribe(subjects.stagingAdvertise, [], (advertisement) => heard.push(advertisement));
  assert.equal((await world.stage(world.request()))?.error, null);
  assert.equal((await world.stage(world.request()))?.error, null);
  assert.match((await world.stage(world.request({ task_id: 'b' })))?.error ?? '', /476 MB free, 1024 MB are asked for/);
  assert.match((await world.stage(world.request({ task_id: '../x' })))?.error ?? '', /no task id/);
  assert.match((await world.stage(world.request({ stack: 'other' })))?.error ?? '', /^$/);
  assert.match((await world.stage(world.request({ task_id: 'c', stack: 'other' })))?.error ?? '', /no stack 'other'/);
  world.bus.publish(subjects.stagingLocate, [], {});
  await world.bus.flush();
  const last = heard.at(-1);
  assert.deepEqual([last?.available_memory, last?.tasks], [476, ['task-1']]);
  assert.ok(starts <= 1);
});

test('a result is posted until it is accepted, also by the next stager', async () => {
  await using world = await stagerWorld();
  world.blobs.files.set('package', await zip({ Procfile: 'web: x\n' }));
  world.blobs.refusals = [503];
  await world.stage(world.request());
  assert.equal((await world.blobs.result('task-1')).error, null);

  world.blobs.refusals = Array.from({ length: 50 }, () => 503);
  const ended = Promise.withResolvers<void>();
  const [, second] = await Promise.all([
    ended.promise,
    world.bus
      .request(subjects.stagingStart, ['stager-1'], world.request({ task_id: 'task-2' }), {
        timeoutMs: 10_000,
        expected: 2,
      })
      .finally(ended.resolve),
  ]);
  assert.equal(second.length, 2);
  const advertised = Promise.withResolvers<string[]>();
  world.bus.subscribe(subjects.stagingAdvertise, [], ({ tasks = [] }) => advertised.resolve(tasks));
  world.bus.publish(subjects.stagingLocate, [], {});
  assert.deepEqual(await advertised.promise, ['task-2'], 'a task is not lost while its result is on its way');
  await world.stop();
  world.blobs.refusals = [];
  await world.restart();
  assert.equal((await world.blobs.result('task-2')).error, null);
});

test('after a crash the next stager removes what was left and reports it as interrupted', async () => {
  await using world = await stagerWorld();
  await world.stop();
  await world.leaveBehind('task-9');
  await world.restart();
  const info = { type: 'StagingInterrupted', message: 'The stager was restarted' };
  assert.deepEqual((await world.blobs.result('task-9')).error_info, info);
  assert.deepEqual(await world.engine.list(), []);
});

test('a stager that is stopped gives back what it was staging', async () => {
  const started = Promise.withResolvers<void>();
  await using world = await stagerWorld({ script: () => started.resolve() });
  world.blobs.files.set('package', await zip({ Procfile: 'web: x\n' }));
  await world.stage(world.request());
  await started.promise;
  await world.stop();
  const info = { type: 'StagingInterrupted', message: 'The stager was stopped' };
  assert.deepEqual((await world.blobs.result('task-1')).error_info, info);
  assert.deepEqual(await world.engine.list(), []);
});
