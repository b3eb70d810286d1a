import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeUser, hurriedClock } from './testing/call.ts';
import { fault } from './testing/fake-answers.ts';

const node = { 'package.json': '{"scripts":{"start":"node server.js"}}', 'server.js': 'serve()' };

test('a push says what it found and why, shows staging, and ends with the url', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  user.platform.onStaging = (build) => {
    user.platform.log({ source: 'STG', text: 'Installing Node' });
    user.platform.staged(build);
  };
  user.platform.states = (process, poll) => user.platform.instances(process, poll < 1 ? 'STARTING' : 'RUNNING');
  const { code, out, err } = await user.call('push', 'demo');
  assert.deepEqual([code, err], [0, '']);
  const shown = out
    .replaceAll(user.platform.url, 'URL')
    .replaceAll(/:\d{4,5}\b/g, ':PORT')
    .replaceAll(/\d+\.\d s/g, 'N s')
    .replaceAll(/^\d{4}-\d\d-\d\d \S+ /gm, 'TIME ')
    .replaceAll(/uploading \d+B/g, 'uploading NB');
  assert.equal(
    shown,
    `Pushing demo to acme / dev at URL
  Node.js: package.json, start script \`node server.js\`
  memory 256M: default for Node.js; --mem changes it
2 files, 0 of them on the server already: uploading NB
Staging
TIME [STG/0] Installing Node
Staged; starting
demo is running (N s)

name:       demo
state:      started
urls:       http://demo.stackato.localhost:PORT
buildpacks: nodejs_buildpack 1.0
stack:      stackato
staged:     2026-01-01T00:00:00Z

process:    web 1/1
limits:     256M memory, 1G disk
command:    node server.js
#    state     since   cpu    memory          disk           details
#0   running   3s      1.0%   10.0M of 256M   2.0M of 1.0G

http://demo.stackato.localhost:PORT
`,
  );
  assert.deepEqual(user.platform.manifests, [{ name: 'demo', 'default-route': true, memory: '256M' }]);
});

test('files the server has are not uploaded again', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  await user.call('push', 'demo');
  const again = await user.call('push', 'demo');
  assert.match(again.out, /2 files, 2 of them on the server already: nothing to upload/);
  const [first, second] = user.platform.packages;
  assert.deepEqual([...(second?.files.keys() ?? [])].sort(), [...(first?.files.keys() ?? [])].sort());
  await user.write({ 'server.js': 'serve(again)' });
  assert.match((await user.call('push', 'demo')).out, /2 files, 1 of them on the server already/);
});

test('what was packed stays until the server has it, however long it takes to say where to', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  user.platform.override('POST /v3/packages', async () => {
    // Long enough for the temporary folder to be removed, were it not waited for.
    while (user.platform.packages.length < 50) {
      await new Promise((resolve) => setImmediate(resolve));
      user.platform.packages.push({ guid: `package-${user.platform.packages.length}`, state: '', files: new Map() });
    }
    return { status: 201, body: { guid: 'package-0', state: 'AWAITING_UPLOAD' } };
  });
  const { code, err } = await user.call('push', 'demo');
  assert.deepEqual([code, err], [0, '']);
});

test('a push goes on without the log when that can not be read, and says so', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  user.clock = hurriedClock();
  user.platform.hasStream = false;
  let reads = 0;
  user.platform.override('GET /api/v1/read/app-1', () => {
    reads += 1;
    return fault(404, 10_010, 'CF-ResourceNotFound', 'App not found');
  });
  let isTold = false;
  user.platform.onStaging = (build) => {
    // Two polls after the log was given up, so that the word of it is out.
    if (reads > 20 && isTold) user.platform.staged(build);
    isTold = reads > 20;
  };
  const { code, err } = await user.call('push', 'demo');
  assert.equal(code, 0);
  assert.match(err, /The log can't be read: App not found; going on without it/);
});

test('--json answers with one document, the words go to standard error', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  const { code, json, err } = await user.call('push', 'demo', '--json');
  assert.equal(code, 0);
  assert.equal((json as { name: string }[])[0]?.name, 'demo');
  assert.match(err, /Pushing demo/);
});

test('a dry run changes nothing', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  const { code, out } = await user.call('push', 'demo', '--dry-run', '--mem', '512M', '--url', 'x.stackato.localhost');
  assert.equal(code, 0);
  assert.match(out, /memory = 512M/);
  assert.ok(
    user.platform.calls.every((call) => call.startsWith('GET ')),
    user.platform.calls.join('\n'),
  );
});

test('a folder of no known framework is refused, saying what was looked for', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write({ 'readme.txt': 'hello' });
  const { code, err } = await user.call('push', 'demo');
  assert.equal(code, 1);
  assert.match(err, /Looked for:/);
  assert.match(err, /package\.json \(Node\.js\)/);
  assert.match(err, /--buildpack NAME/);
  assert.equal((await user.call('push', 'demo', '--command', './run')).code, 0, 'a command makes it a program');
  user.platform.buildpacks.push('rust_buildpack');
  assert.equal((await user.call('push', 'other')).code, 0, 'the server may know more');
});

test('an empty folder and a missing one are refused', async () => {
  await using user = await FakeUser.loggedIn();
  assert.match((await user.call('push', 'demo')).err, /nothing to push in .*app/);
  assert.match((await user.call('push', 'demo', '--path', 'nowhere')).err, /nothing to push at .*nowhere/);
});

test('a failed build shows its cause, and what to try', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  user.platform.onStaging = (build) => {
    user.platform.log({ source: 'STG', type: 'ERR', text: 'npm error 404 left-pad' });
    Object.assign(build, {
      state: 'FAILED',
      error: 'BuildpackCompileFailed - App staging failed in the buildpack compile phase',
    });
  };
  const { code, out, err } = await user.call('push', 'demo');
  assert.equal(code, 1);
  assert.match(out, /npm error 404 left-pad/);
  assert.match(err, /Staging of demo failed: BuildpackCompileFailed/);
  assert.match(err, /next: The lines above/);
});

test('a second push of the same app is told of the first', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  user.platform.addApp('demo');
  user.platform.builds.push({
    guid: 'b',
    state: 'STAGING',
    created_at: new Date().toISOString(),
    created_by: { name: 'bob' },
  });
  const { code, err } = await user.call('push', 'demo');
  assert.equal(code, 1);
  assert.match(err, /demo is being staged by another push by bob, started 0 s ago/);
  user.platform.builds.length = 0;
  user.platform.override('POST /v3/builds', () => fault(422, 170_017, 'CF-StagingInProgress', 'Only one build'));
  assert.match((await user.call('push', 'demo')).err, /demo is being staged by another push/);
});

test('an interrupted push has its staging cancelled, and exits with 130', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  const stop = new AbortController();
  user.signal = stop.signal;
  user.platform.onStaging = () => stop.abort('SIGINT');
  let cancelled = 0;
  user.platform.override('POST /stackato/v1/builds/build-1/cancel', () => {
    cancelled += 1;
    return { body: { guid: 'build-1', state: 'FAILED' } };
  });
  const { code, err } = await user.call('push', 'demo');
  assert.deepEqual([code, cancelled], [130, 1]);
  assert.match(err, /Staging of demo was cancelled; what ran before goes on/);
});

test('an interrupted push whose staging can not be cancelled says that it goes on', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  const stop = new AbortController();
  user.signal = stop.signal;
  user.platform.onStaging = () => stop.abort('SIGINT');
  const { code, err } = await user.call('push', 'demo');
  assert.equal(code, 130);
  assert.match(err, /could not be cancelled .* and goes on at the server/);
});

test('a push whose app is deleted meanwhile says so', async () => {
  for (const answer of [
    fault(404, 10_010, 'CF-ResourceNotFound', 'Build not found'),
    { body: { guid: 'build-1', state: 'FAILED', error: 'StagingError - the app is being deleted' } },
  ]) {
    await using user = await FakeUser.loggedIn();
    await user.write(node);
    user.platform.override('GET /v3/builds/build-1', () => answer);
    const { code, err } = await user.call('push', 'demo');
    assert.equal(code, 1);
    assert.match(err, /demo was deleted while it was staged\nnext: Push again/);
  }
});

for (const call of [
  'POST /v3/spaces/space/actions/apply_manifest',
  'POST /v3/resource_matches',
  'POST /v3/packages',
  'PATCH /v3/apps/app-1/relationships/current_droplet',
  'POST /v3/apps/app-1/actions/start',
]) {
  test(`a platform that goes away and comes back is survived: ${call}`, async () => {
    await using user = await FakeUser.loggedIn();
    await user.write(node);
    let asked = 0;
    user.platform.override(call, (_match, _body, request) => {
      asked += 1;
      if (asked === 1) request.socket.destroy();
      else if (asked > 3) user.platform.overrides.delete(call);
      const detail = 'The control database cannot be reached. Try again in a moment.';
      return { ...fault(503, 10_015, 'CF-ServiceUnavailable', detail), headers: { 'retry-after': '1' } };
    });
    const { code, err } = await user.call('push', 'demo');
    assert.equal(code, 0, err);
    assert.equal(asked, 4, 'the override saw every attempt but the last');
    assert.equal(err.match(/trying again for 60 s/g)?.length, 1, err);
  });
}

test('a build that began before the answer was lost is not begun twice', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  user.platform.override('POST /v3/builds', (_match, _body, request) => {
    user.platform.overrides.delete('POST /v3/builds');
    const build = { guid: 'build-lost', state: 'STAGED', droplet: { guid: 'd' } };
    user.platform.override('GET /v3/builds', (_m, _b, _r, url) => ({
      body: { pagination: { next: null }, resources: url.searchParams.has('package_guids') ? [build] : [] },
    }));
    user.platform.override('GET /v3/builds/build-lost', () => ({ body: build }));
    request.socket.destroy();
    return { status: 503, raw: '' };
  });
  const { code, err } = await user.call('push', 'demo');
  assert.equal(code, 0, err);
  assert.equal(user.platform.calls.filter((call) => call === 'POST /v3/builds').length, 1);
});

test('the API going away for a moment while staging is survived', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write(node);
  let away = 0;
  user.platform.override('GET /v3/builds/build-1', () => {
    away += 1;
    if (away < 4)
      return { status: 503, raw: '503 Service Unavailable', headers: { 'x-cf-routererror': 'no_endpoints' } };
    return { body: { guid: 'build-1', state: 'STAGED', droplet: { guid: 'd' } } };
  });
  assert.equal((await user.call('push', 'demo')).code, 0);
});

for (const how of ['closes the connection', 'answers 503']) {
  test(`a push whose build can't be asked for because the platform ${how} can be run again, and says so`, async () => {
    await using user = await FakeUser.loggedIn();
    await user.write(node);
    user.platform.override('POST /v3/builds', (_match, _body, request) => {
      if (how === 'closes the connection') request.socket.destroy();
      return { status: 503, raw: '503 Service Unavailable' };
    });
    const { code, err } = await user.call('push', 'demo');
    assert.equal(code, 1);
    assert.match(err, /next: Run the same push again when the platform answers/);
    user.platform.overrides.delete('POST /v3/builds');
    assert.equal((await user.call('push', 'demo')).code, 0);
  });
}

test('several apps of one manifest are pushed in order, each with its own folder', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write({
    'manifest.yml': 'applications:\n- name: one\n  path: a\n- name: two\n  path: b\n  memory: 1G\n  env: {SIZE: 9}\n',
    'a/index.html': 'a',
    'b/requirements.txt': 'flask',
  });
  const { code, err } = await user.call('push');
  assert.deepEqual([code, err], [0, '']);
  assert.deepEqual(user.platform.manifests, [
    { name: 'one', 'default-route': true, memory: '64M' },
    { name: 'two', memory: '1G', env: { SIZE: '9' }, 'default-route': true },
  ]);
  assert.equal((await user.call('push', 'two', '-i', '2')).code, 0);
  assert.match((await user.call('push', '-i', '2')).err, /the manifest has several/);
  assert.match((await user.call('push', 'three')).err, /has no app 'three'; it has one, two/);
});

test('a manifest that is wrong is refused by file, line and key', async () => {
  await using user = await FakeUser.loggedIn();
  await user.write({ ...node, 'manifest.yml': 'applications:\n- name: demo\n  memory: 12Q\n  instnaces: 2\n' });
  const { code, err } = await user.call('push');
  assert.equal(code, 1);
  assert.match(err, /manifest\.yml, line 3: 'memory' '12Q' is not a size/);
  assert.match(err, /manifest\.yml, line 4: 'instnaces' is not a key that is known here; did you mean 'instances'\?/);
  await user.write({ 'manifest.yml': 'applications:\n- name: "x\n' });
  assert.match((await user.call('push')).err, /manifest\.yml, line \d+, column \d+/);
});

test('a start that finds no room is told before the whole time of its health check is over', async () => {
  await using user = await FakeUser.loggedIn();
  user.clock = hurriedClock();
  await user.write(node);
  const details = 'no DEA has 256 MB';
  user.platform.states = (process) => user.platform.instances(process, 'DOWN').map((one) => ({ ...one, details }));
  const fromMs = user.clock.nowMs();
  const { code, err } = await user.call('push', 'demo', '--health-timeout', '170');
  assert.equal(code, 1);
  assert.match(err, /did not start: no DEA has 256 MB[\s\S]*There is no room for it/);
  assert.ok(user.clock.nowMs() - fromMs < 60_000);
});
