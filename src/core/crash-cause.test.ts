import assert from 'node:assert/strict';
import { test } from 'node:test';
import { adviseStart, causeOfCrash, describeCrash } from './crash-cause.ts';

const process = { app: 'demo', memoryMb: 256, diskMb: 1024, check: 'port', endpoint: '/' } as const;
const listens = 'failed to accept connections on port 8080 within 60 s; the process listens on no port';
const oom = 'out of memory: the instance used its 256 MB';

const cases: readonly [number | undefined, string, string, RegExp][] = [
  [127, 'APP/PROC/WEB: APP/PROC/WEB: Exited with status 127 (exit status 127)', 'exit', /was not found/],
  [126, 'Exited with status 126', 'exit', /chmod \+x/],
  [139, 'APP/PROC/WEB: Exited with status 139', 'exit', /segmentation fault/],
  [0, 'APP/PROC/WEB: Exited with status 0', 'exit', /foreground/],
  [1, 'APP/PROC/WEB: Exited with status 1', 'exit', /stackato logs demo/],
  [undefined, 'Exited with status 127', 'exit', /was not found/],
  [-1, 'Exited with status 127', 'exit', /was not found/],
  [143, listens, 'health', /variable PORT/],
  [143, `APP/PROC/WEB: ${listens} (exit status 143)`, 'health', /variable PORT/],
  [143, 'health check: GET / answered 500, 200 is expected, for 60 s', 'health', /variable PORT/],
  [137, oom, 'memory', /scale demo -m 512M/],
  [137, 'APP/PROC/WEB: Exited with status 137 (out of memory)', 'memory', /scale demo -m 512M/],
  [137, 'Exited with status 137', 'exit', /stackato logs demo/],
  [1, 'APP/PROC/WEB: Exited with status 1; its disk of 64M is full', 'disk', /scale demo -d 2G/],
  [143, `${listens}; it may have no more than 512 processes and threads`, 'processes', /more processes/],
  [-1, 'insufficient resources: memory', 'placement', /no room/],
  [-1, 'no DEA offers the stack', 'placement', /no room/],
  [-1, 'missing start command; name one in the manifest or a Procfile', 'command', /push demo --command/],
  [-1, 'the droplet could not be unpacked', 'other', /stackato logs demo/],
];
for (const [status, description, kind, advice] of cases) {
  test(`${status} '${description}' is ${kind}: ${advice.source}`, () => {
    const cause = causeOfCrash({ status, description });
    assert.equal(cause.kind, kind);
    const words = ['Container became healthy', 'listening on port 8080', 'health check timed out', 'room: oom'];
    assert.match(adviseStart(process, cause, words), advice);
  });
}

const texts: readonly [number | undefined, string, string][] = [
  [143, listens, listens],
  [137, oom, oom],
  [3, 'APP/PROC/WEB: APP/PROC/WEB: Exited with status 3', 'Exited with status 3'],
  [3, 'app instance exited', 'app instance exited (exit status 3)'],
  [3, 'listened on 8003', 'listened on 8003 (exit status 3)'],
  [-1, '', 'the instance crashed'],
  [undefined, 'lost', 'lost'],
];
for (const [status, description, said] of texts) {
  test(`${status} '${description}' reads '${said}'`, () => assert.equal(describeCrash({ status, description }), said));
}

test('an app that neither crashed nor became healthy is told what its health check asks', () => {
  assert.match(adviseStart(process, undefined, []), /variable PORT/);
  assert.match(adviseStart({ ...process, check: 'http', endpoint: '/up' }, undefined, []), /asks \/up .*status 200/);
  assert.match(adviseStart({ ...process, check: 'process' }, undefined, []), /stackato logs demo/);
});

test('a program of another processor is known by what the shell says of it', () => {
  const cause = causeOfCrash({ status: 126, description: 'Exited with status 126' });
  const words = ['bash: line 1: ./prog: cannot execute binary file: Exec format error'];
  assert.match(adviseStart(process, cause, words), /another processor/);
  assert.match(adviseStart(process, cause, []), /chmod/);
});

test("a full disk or heap is known by the app's own words", () => {
  const cause = causeOfCrash({ status: 134, description: 'Exited with status 134' });
  assert.match(adviseStart(process, cause, ['FATAL ERROR: JavaScript heap out of memory']), /-m 512M/);
  assert.match(adviseStart(process, cause, ['write: No space left on device']), /-d 2G/);
  assert.match(adviseStart(process, cause, ["code: 'EMFILE'"]), /files and connections/);
  assert.match(adviseStart(process, cause, []), /SIGABRT/);
});
