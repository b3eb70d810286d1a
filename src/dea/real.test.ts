import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { tracesOf } from '../container/fence/testing/test-fence.ts';
import { subjects } from '../contract/subjects.ts';
import type { StartMessage } from './instance.ts';
import { startMessage } from './testing/harness.ts';
import { ask, openRealDea, until } from './testing/real-dea.ts';

const skip = process.getuid?.() === 0 ? false : 'real containers need root';
const web = { 'app/index.html': 'hello from the droplet' };
const httpd = 'exec httpd -f -p $PORT';

type Extra = NonNullable<StartMessage['x']>;
type Real = Awaited<ReturnType<typeof openRealDea>>;

const withCheck = (check: Partial<Extra['health_check']>): Partial<StartMessage> => {
  const { x } = startMessage();
  assert.ok(x);
  const health_check = { ...x.health_check, ...check };
  return { x: { ...x, health_check, sha256: undefined as unknown as string } };
};
const states = (real: Real) => real.dea.registry.list().map(({ state }) => state);
const exits = (real: Real) =>
  real.heard.exited.map((exit) => `${exit.reason} ${exit.exit_status} ${exit.exit_description}`);
const running = (real: Real) =>
  until('RUNNING', () => {
    assert.deepEqual(exits(real), []);
    return states(real).length > 0 && states(real).every((state) => state === 'RUNNING');
  });
const lines = (real: Real, source: string) =>
  real.heard.lines.filter((line) => line.source === source).map(({ text }) => text);

test('a droplet becomes a web app: downloaded, unpacked, started, healthy, answering, stopped', { skip }, async () => {
  await using real = await openRealDea();
  const script = `echo "$HOME $USER $INSTANCE_INDEX $MEMORY_LIMIT $GREETING $FROM_PROFILE"; id -u; ${httpd}`;
  await real.start(
    { ...web, 'app/.profile.d/a.sh': 'export FROM_PROFILE=sourced' },
    { start_command: script, env: ['GREETING=hi there'] },
  );
  await running(real);
  const [instance] = real.dea.registry.list();
  assert.ok(instance?.placement);
  assert.deepEqual(await ask(instance.placement.hostPort), { status: 200, body: web['app/index.html'] });
  await until('its lines', () => lines(real, 'APP/PROC/WEB').length >= 2);
  assert.deepEqual(lines(real, 'APP/PROC/WEB').slice(0, 2), ['/home/vcap/app vcap 0 64m hi there sourced', '2000']);

  const root = await real.engine.rootPath(instance.id);
  const owner = await stat(join(root, 'home/vcap/app/index.html'));
  assert.equal(owner.uid, real.engine.idOffset + 2000);

  const ask1 = { droplet: 'process-1', include_stats: true };
  const [found] = await real.bus.request(subjects.deaFindDroplet, [], ask1, { timeoutMs: 5000 });
  assert.ok((found?.stats?.usage.mem ?? 0) > 0);
  assert.equal(found?.stats?.mem_quota, 64 * 1_048_576);

  real.stop('process-1');
  await until('nothing left', () => states(real).length === 0);
  assert.deepEqual(await real.engine.list(), []);
});

test('a DEA process that is replaced loses neither instance nor line', { skip }, async () => {
  await using real = await openRealDea();
  const script =
    'i=0; while [ $i -lt 3000 ]; do echo line-$i; i=$((i+1)); [ $((i % 100)) -eq 0 ] && sleep 0.05; done; sleep 1000';
  await real.start(web, { start_command: script, uris: [], ...withCheck({ type: 'process' }) });
  const said = () => lines(real, 'APP/PROC/WEB');
  await until('some lines', () => said().length > 300 || exits(real).length > 0);
  assert.deepEqual(exits(real), []);
  const [before] = real.dea.registry.list();
  await real.restart();
  const [after] = real.dea.registry.list();
  assert.equal(after?.id, before?.id);
  await until('the last line', () => said().at(-1) === 'line-2999');
  assert.deepEqual(
    said(),
    Array.from({ length: 3000 }, (_, i) => `line-${i}`),
  );
  assert.deepEqual(real.heard.exited, []);
});

test('an instance that dies is told within moments, with its status and last words', { skip }, async () => {
  await using real = await openRealDea();
  await real.start(web, { start_command: 'echo going down >&2; exit 7' });
  await until('the exit', () => real.heard.exited.length > 0);
  assert.deepEqual(exits(real), ['CRASHED 7 APP/PROC/WEB: Exited with status 7']);
  await until('the status', () => lines(real, 'CELL').includes('Exit status 7'));
  assert.deepEqual(lines(real, 'APP/PROC/WEB'), ['going down']);
});

test('an instance that needs more memory than it has is out of memory', { skip }, async () => {
  await using real = await openRealDea();
  await real.start(web, { start_command: 'exec tail /dev/zero' });
  await until('the exit', () => real.heard.exited.length > 0);
  assert.match(real.heard.exited[0]?.exit_description ?? '', /^out of memory/);
});

test('an app on the wrong port is told on which it listens', { skip }, async () => {
  await using real = await openRealDea();
  await real.start(web, { start_command: 'exec httpd -f -p 3000', ...withCheck({ timeout_s: 1 }) });
  await until('the exit', () => real.heard.exited.length > 0);
  assert.equal(
    real.heard.exited[0]?.exit_description,
    'failed to accept connections on port 8080 within 1 s; the process listens on 3000; make it listen on $PORT',
  );
});

test('an HTTP check says what was answered', { skip }, async () => {
  await using real = await openRealDea();
  await real.start(web, { start_command: httpd, ...withCheck({ type: 'http', endpoint: '/up', timeout_s: 1 }) });
  await until('the exit', () => real.heard.exited.length > 0);
  assert.match(real.heard.exited[0]?.exit_description ?? '', /^health check: GET \/up answered 404/);
});

test('a stop gives the app its time to end in order', { skip }, async () => {
  await using real = await openRealDea();
  const script = `trap 'echo bye; exit 0' TERM; httpd -p $PORT; while :; do sleep 0.1; done`;
  await real.start(web, { start_command: script });
  await running(real);
  real.stop('process-1');
  await until('nothing left', () => states(real).length === 0);
  assert.ok(lines(real, 'APP/PROC/WEB').includes('bye'));
});

test('a droplet that is damaged, missing or too large is refused with the reason', { skip }, async () => {
  await using real = await openRealDea();
  const { x } = startMessage();
  assert.ok(x);
  await real.start(web, { x: { ...x, sha256: 'ab'.repeat(32) } });
  await real.start(web, { droplet: 'p2', executableUri: real.droplets.missing });
  await real.start({ 'app/big': 'x'.repeat(3_000_000) }, { droplet: 'p3', limits: { mem: 64, disk: 2, fds: 100 } });
  await until('three refusals', () => real.heard.exited.length === 3, 60_000);
  const why = Object.fromEntries(real.heard.exited.map(({ droplet, exit_description }) => [droplet, exit_description]));
  assert.match(why['process-1'] ?? '', /^the droplet is damaged: its sha256 is/);
  assert.match(why.p2 ?? '', /^the droplet can't be downloaded: the server answered HTTP 404/);
  assert.match(why.p3 ?? '', /unpacks to more than the 2 MB of disk/);
});

test('shutting down leaves nothing on the machine', { skip }, async () => {
  await using real = await openRealDea();
  for (const index of [0, 1, 2]) await real.start(web, { start_command: httpd, index });
  await until('three', () => {
    assert.deepEqual(exits(real), []);
    return states(real).filter((state) => state === 'RUNNING').length === 3;
  });
  await real.dea.shutDown();
  assert.deepEqual(await real.engine.list(), []);
  const traces = await tracesOf(real.fence);
  assert.deepEqual(
    traces.filter((trace) => trace.startsWith('control group') || trace.startsWith('conmon')),
    [],
  );
});
