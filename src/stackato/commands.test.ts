import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { FakeUser } from './testing/call.ts';
import { fault } from './testing/fake-answers.ts';
import { password } from './testing/fake-platform.ts';

test('without a target every command says which to choose', async () => {
  await using user = await FakeUser.create();
  const { code, err, out } = await user.call('apps');
  assert.deepEqual([code, out], [1, '']);
  assert.equal(
    err,
    'error: No target is chosen\nnext: Choose one, for example: stackato target api.stackato.localhost\n',
  );
  assert.match((await user.call('target', user.platform.url)).out, /not logged in; run: stackato login EMAIL/);
  assert.match((await user.call('apps')).err, /Not logged in to http:.*\nnext: stackato login EMAIL/);
});

test('a wrong target says what is there instead', async () => {
  await using user = await FakeUser.create();
  user.platform.override('GET /', () => ({ status: 200, raw: '<html>', headers: { 'content-type': 'text/html' } }));
  assert.match((await user.call('target', user.platform.host)).err, /answers, but not as a platform API/);
  user.platform.override('GET /', () => ({ status: 404, headers: { 'x-cf-routererror': 'unknown_route' } }));
  assert.match((await user.call('target', user.platform.url)).err, /There is a router at .*, but no API/);
  await user.platform[Symbol.asyncDispose]();
  const gone = await user.call('target', 'http://api.stackato.localhost:1');
  assert.match(gone.err, /can't be reached: connection refused\nnext: Is the platform running/);
  assert.equal((await user.call('target', 'no host')).code, 2);
});

test('a local target without a scheme falls back to http, and says so', async () => {
  await using user = await FakeUser.create();
  const { code, err } = await user.call('target', user.platform.host);
  assert.equal(code, 0);
  assert.match(err, /Using http, because https did not work/);
});

test('login keeps tokens to the user alone, and chooses the only organization and space', async () => {
  await using user = await FakeUser.create();
  await user.call('target', user.platform.url);
  const { code, out } = await user.callWith(`${password}\n`, 'login', 'ann@example.com', '--password-stdin');
  assert.equal(code, 0);
  assert.match(out, /organization: {2}acme\nspace: {9}dev/);
  assert.ok(!out.includes(password));
  const path = join(user.home, 'config.json');
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.ok(!(await readFile(path, 'utf8')).includes(password));
  assert.equal((await user.call('user')).out, 'ann@example.com\n');
  assert.equal((await user.call('logout')).code, 0);
  assert.ok(!(await readFile(path, 'utf8')).includes('refresh-'));
});

test('a wrong password is told so, and none can be asked for without a terminal', async () => {
  await using user = await FakeUser.create();
  await user.call('target', user.platform.url);
  const wrong = await user.call('login', 'ann@example.com', '--password', 'wrong');
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /user name or the password is wrong/);
  const none = await user.call('login', 'ann@example.com');
  assert.equal(none.code, 2);
  assert.match(none.err, /--password-stdin/);
  user.variables.STACKATO_PASSWORD = password;
  assert.equal((await user.call('login', 'ann@example.com')).code, 0);
});

test('an ending token is refreshed once by commands that run at the same time', async () => {
  await using user = await FakeUser.create();
  user.platform.expiresInS = 30;
  await user.call('target', user.platform.url);
  await user.call('login', 'ann@example.com', '--password', password);
  user.platform.expiresInS = 1200;
  user.platform.calls.length = 0;
  const answers = await Promise.all(Array.from({ length: 6 }, () => user.call('apps')));
  assert.deepEqual(
    answers.map(({ code }) => code),
    [0, 0, 0, 0, 0, 0],
  );
  assert.equal(user.platform.calls.filter((call) => call === 'POST /oauth/token').length, 1);
});

test('a refused token is replaced and the call repeated; an ended login says so', async () => {
  await using user = await FakeUser.loggedIn();
  let refused = 0;
  user.platform.override('GET /v3/apps', () =>
    refused++ === 0
      ? fault(401, 1000, 'CF-InvalidAuthToken', 'Invalid Auth Token')
      : { body: { resources: [], pagination: { next: null } } },
  );
  assert.equal((await user.call('apps')).code, 0);
  user.platform.override('GET /v3/apps', () => fault(401, 1000, 'CF-InvalidAuthToken', 'Invalid Auth Token'));
  user.platform.override('POST /oauth/token', () => ({ status: 400, body: { error: 'invalid_token' } }));
  assert.match((await user.call('apps')).err, /The login at .* has ended\nnext: stackato login/);
});

test('a config file that is not one says which and what to do', async () => {
  await using user = await FakeUser.create();
  await mkdir(user.home);
  await writeFile(join(user.home, 'config.json'), '{"target":');
  const { code, err } = await user.call('apps');
  assert.equal(code, 1);
  assert.match(err, /config\.json is not JSON.*\nnext: Remove/);
});

test('apps, app and their JSON', async () => {
  await using user = await FakeUser.loggedIn();
  assert.match((await user.call('apps')).out, /No apps in acme \/ dev yet/);
  const demo = user.platform.addApp('demo', { state: 'STARTED' });
  user.platform.addApp('old');
  user.platform.addRoute('demo', demo);
  const port = new URL(user.platform.url).port;
  assert.equal(
    (await user.call('apps')).out,
    `name   state     instances   memory   urls
demo   started   web:1/1     256M     http://demo.stackato.localhost:${port}
old    stopped   web:0/1     256M
`,
  );
  const { json } = await user.call('apps', '--json');
  assert.equal((json as { processes: { running: number }[] }[])[0]?.processes[0]?.running, 1);
  assert.match((await user.call('app', 'demo')).out, /process: {4}web 1\/1/);
  const missing = await user.call('app', 'none', '--json');
  assert.equal(missing.code, 1);
  assert.match((missing.json as { error: { message: string } }).error.message, /There is no app 'none' in space dev/);
  assert.equal((await user.call('open', 'demo')).out, `http://demo.stackato.localhost:${port}\n`);
});

test('the app is the one of the manifest when none is named', async () => {
  await using user = await FakeUser.loggedIn();
  assert.match((await user.call('app')).err, /Which app\?/);
  user.platform.addApp('demo');
  await user.write({ 'stackato.yml': 'name: demo\nmem: 128M\n' });
  assert.match((await user.call('app')).out, /name: {7}demo/);
});

test('scale takes numbers and changes of them, and restarts for new limits', async () => {
  await using user = await FakeUser.loggedIn();
  user.platform.addApp('demo', { state: 'STARTED' });
  assert.match((await user.call('scale', 'demo', '-i', '3')).out, /demo web: 3 instances of 256M memory, 1G disk/);
  assert.match((await user.call('scale', 'demo', '-i', '-1')).out, /2 instances/);
  assert.match((await user.call('scale', 'demo', '-i', '+4')).out, /6 instances/);
  assert.match((await user.call('scale', 'demo')).out, /6 instances/);
  assert.match((await user.call('scale', 'demo', '-i', '-9')).err, /fewer than 9/);
  assert.equal((await user.call('scale', 'demo', '-i', 'many')).code, 2);
  assert.match((await user.call('scale', 'demo', '-i', '1000000')).err, /a number of at most six digits/);
  assert.equal((await user.call('scale', 'demo', '-m', '12Q')).code, 2);
  const limits = await user.call('scale', 'demo', '-m', '512M');
  assert.match(limits.out, /restarting it, so that the limits take effect/);
  assert.ok(user.platform.calls.includes('POST /v3/apps/app-1/actions/restart'));
});

test('variables are set, shown and removed', async () => {
  await using user = await FakeUser.loggedIn();
  user.platform.addApp('demo', { state: 'STARTED' });
  assert.match(
    (await user.call('set-env', 'demo', 'COLOUR', 'deep blue')).out,
    /from the next start: stackato restart demo/,
  );
  await user.call('set-env', 'demo', 'A=1', 'B=x=y');
  assert.equal((await user.call('env', 'demo')).out, 'COLOUR=deep blue\nA=1\nB=x=y\n');
  await user.call('unset-env', 'demo', 'A');
  assert.deepEqual(user.platform.apps[0]?.env, { COLOUR: 'deep blue', B: 'x=y' });
  assert.match((await user.call('unset-env', 'demo', 'A')).err, /demo has no variable A/);
  assert.equal((await user.call('set-env', 'demo', 'nothing')).code, 2);
});

test('urls are mapped and unmapped', async () => {
  await using user = await FakeUser.loggedIn();
  const demo = user.platform.addApp('demo');
  const mapped = await user.call('map', 'demo', 'http://shop.stackato.localhost/');
  assert.match(mapped.out, /shop\.stackato\.localhost:\d+ leads to demo/);
  assert.deepEqual(user.platform.routes[0]?.destinations[0]?.app, { guid: demo.guid });
  assert.equal((await user.call('unmap', 'demo', 'shop.stackato.localhost')).code, 0);
  assert.match((await user.call('unmap', 'demo', 'shop.stackato.localhost')).err, /does not lead to demo/);
  assert.match(
    (await user.call('map', 'demo', 'shop.elsewhere.example')).err,
    /in none of the domains.*NAME\.stackato\.localhost/s,
  );
});

test('delete asks, or is told; and keeps routes that lead elsewhere too', async () => {
  await using user = await FakeUser.loggedIn();
  const demo = user.platform.addApp('demo');
  user.platform.addRoute('demo', demo);
  user.platform.addRoute('shared', demo, user.platform.addApp('other'));
  for (const args of [
    ['delete', 'demo'],
    ['delete', 'demo', '-n'],
  ]) {
    const asked = await user.call(...args);
    assert.equal(asked.code, 2);
    assert.match(asked.err, /Say it in advance: --yes/);
  }
  assert.equal((await user.call('delete', 'demo', '-y')).code, 0);
  assert.deepEqual(
    user.platform.apps.map(({ name }) => name),
    ['other'],
  );
  assert.deepEqual(
    user.platform.routes.map(({ host }) => host),
    ['shared'],
  );
});

test('recent logs, filtered, harmless, and as JSON', async () => {
  await using user = await FakeUser.loggedIn();
  user.platform.addApp('demo');
  assert.match((await user.call('logs', 'demo')).err, /demo has said nothing so far/);
  user.platform.log(
    { source: 'STG', text: 'staging' },
    { source: 'APP/PROC/WEB', text: 'one \u001b]0;evil\u0007' },
    { source: 'APP/PROC/WEB', instance: '1', type: 'ERR', text: 'two' },
  );
  const { out } = await user.call('logs', 'demo', '--source', 'app');
  assert.match(out, /\[APP\/PROC\/WEB\/0\] one �\]0;evil�\n.*\[APP\/PROC\/WEB\/1\] two\n$/s);
  assert.ok(!out.includes('staging'));
  const { json } = await user.call('logs', 'demo', '--num', '1', '--json');
  assert.deepEqual(
    (json as { text: string }[]).map(({ text }) => text),
    ['two'],
  );
  assert.equal((await user.call('logs', 'demo', '--num', 'x')).code, 2);
});

for (const hasStream of [true, false]) {
  test(`logs are followed ${hasStream ? 'by the stream' : 'by asking again'} until interrupted`, async () => {
    await using user = await FakeUser.loggedIn();
    user.platform.hasStream = hasStream;
    user.platform.addApp('demo');
    user.platform.log({ source: 'APP/PROC/WEB', text: 'before' });
    const stop = new AbortController();
    user.signal = stop.signal;
    const call = user.call('logs', 'demo', '--follow', '--json');
    const isFollowing = () =>
      hasStream
        ? user.platform.streams.size > 0
        : user.platform.calls.filter((one) => one.includes('/read/')).length > 2;
    while (!isFollowing()) await new Promise((resolve) => setImmediate(resolve));
    user.platform.log({ source: 'APP/PROC/WEB', text: 'after' });
    while (!user.output.includes('after')) await new Promise((resolve) => setImmediate(resolve));
    stop.abort('SIGINT');
    const { code, out } = await call;
    assert.equal(code, 0, 'being interrupted is how it ends');
    const texts = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).text);
    assert.deepEqual(texts, ['before', 'after']);
  });
}

test('curl prints what the API answers, whatever it is', async () => {
  await using user = await FakeUser.loggedIn();
  const { code, out } = await user.call('curl', '/v3/nothing');
  assert.equal(code, 0);
  assert.equal(JSON.parse(out).errors[0].code, 10_000);
  assert.equal((await user.call('curl', 'v3/nothing', '--fail')).code, 22);
  assert.match((await user.call('curl', '/v3/apps', '-i')).out, /^HTTP\/1\.1 200\n/);
});

test('an API error shows its detail, and its request id when the server failed', async () => {
  await using user = await FakeUser.loggedIn();
  user.platform.override('GET /v3/apps', () => ({
    ...fault(500, 10_001, 'CF-ServerError', 'Server error'),
    headers: { 'x-vcap-request-id': 'r-1' },
  }));
  assert.match((await user.call('apps')).err, /request id: r-1\nerror: Server error/);
});

test('an unknown command or option exits with 2 and suggests another', async () => {
  await using user = await FakeUser.create();
  const unknown = await user.call('pusk');
  assert.equal(unknown.code, 2);
  assert.match(unknown.err, /Did you mean push\?/);
  const option = await user.call('apps', '--nope', '--json');
  assert.equal(option.code, 2);
  assert.match(JSON.stringify(option.json), /unknown option '--nope'/);
  const help = await user.call('scale', '--help');
  assert.equal(help.code, 0);
  assert.match(help.out, /^Examples:\n {2}stackato scale demo -i 3/);
});

test('a misused command leads to its help, and an unknown one has none', async () => {
  await using user = await FakeUser.create();
  assert.match((await user.call('map', 'demo')).err, /missing required argument 'url'\nnext: stackato map --help/);
  assert.match((await user.call('pusk')).err, /next: stackato --help/);
  const help = await user.call('help', 'env-add');
  assert.deepEqual([help.code, help.out], [0, (await user.call('set-env', '--help')).out]);
  const none = await user.call('help', 'nope');
  assert.deepEqual([none.code, none.out], [2, '']);
  assert.match(none.err, /There is no command 'nope'\nnext: See them all: stackato --help/);
  assert.match((await user.call('--version')).out, /^stackato \d+\.\d+\.\d+\n$/);
});

test('every command has examples first, a help that fits 80 columns, and fails with one JSON document', async () => {
  await using user = await FakeUser.create();
  const { out } = await user.call('--help');
  const names = out.slice(out.indexOf('Commands:')).matchAll(/^ {2}([a-z][a-z-]*)/gm);
  for (const name of [...names].map(([, word = '']) => word)) {
    const help = await user.call(name, '--help');
    assert.equal(help.code, 0, name);
    for (const line of help.out.split('\n')) assert.ok(line.length <= 80, `${name}: ${line}`);
    if (name === 'help' || name === 'version' || name === 'targets') continue;
    assert.match(help.out, new RegExp(`^Examples:\\n  stackato ${name}\\b`), name);
    const failed = await user.call(name, 'a', 'b', 'c', 'd', '--json');
    assert.notEqual(failed.code, 0, name);
    assert.equal(typeof (failed.json as { error: { message: unknown } }).error.message, 'string', name);
  }
});

test('starting what is started says only that', async () => {
  await using user = await FakeUser.loggedIn();
  user.platform.addApp('demo', { state: 'STARTED' });
  const { out } = await user.call('start', 'demo');
  assert.match(out, /demo is started already/);
  assert.doesNotMatch(out, /Starting/);
});
