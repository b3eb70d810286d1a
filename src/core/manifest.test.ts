import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { checkManifest, type ManifestApp } from './manifest.ts';
import { diffApplication } from './manifest-diff.ts';

const check = (app: unknown) => checkManifest({ applications: [app] });
const problems = (manifest: unknown) => {
  const result = checkManifest(manifest);
  return 'problems' in result ? result.problems.map(({ message }) => message) : [];
};
const only = (app: object): ManifestApp => {
  const result = check({ name: 'a', ...app });
  assert.ok('apps' in result, JSON.stringify(result));
  return result.apps[0] as ManifestApp;
};

const wrong: [object | undefined, string][] = [
  [{ memory: '12Q' }, 'Memory must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB'],
  [{ memory: 256 }, 'Memory must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB'],
  [{ memory: '0M' }, 'Memory must be greater than 0MB'],
  [{ 'disk-quota': '1' }, 'Disk quota must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB'],
  [{ disk_quota: 'x' }, 'Disk quota must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB'],
  [{ 'placement-zone': 'a b' }, "Placement zone must be a name of letters, digits, '-' and '_'"],
  [{ instances: 'many' }, 'Instances is not a number'],
  [{ instances: -1 }, 'Instances must be greater than or equal to 0'],
  [{ instances: 1.5 }, 'Instances is not a number'],
  [{ env: ['A'] }, 'Env must be an object of keys and values'],
  [{ env: { A: { b: 1 } } }, "Env 'A' must be a string"],
  [{ env: { VCAP_X: '1' } }, 'Env cannot start with VCAP_'],
  [{ env: { PORT: '1' } }, 'Env cannot set PORT'],
  [{ buildpack: 'a', buildpacks: ['b'] }, 'Buildpack and Buildpacks fields cannot be used together.'],
  [{ docker: { image: 'i' }, buildpack: 'b' }, 'Docker cannot be configured for a buildpack lifecycle app.'],
  [{ routes: 'a.example' }, 'Routes must be a list of route objects'],
  [{ routes: [{ route: 'not a route' }] }, "The route 'not a route' is not a properly formed URL"],
  [{ processes: [{}] }, 'All Processes must specify a type'],
  [{ processes: [{ type: 'web' }, { type: 'web' }] }, 'Process "web" may only be present once'],
  [
    { processes: [{ type: 'w', memory: 'x' }] },
    'Process "w": Memory must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB',
  ],
  [{ 'no-route': 'yes' }, 'No-route must be a boolean'],
  [{ 'random-route': true, 'default-route': true }, 'Random-route and default-route may not be used together'],
  [{ 'health-check-type': 'tcp' }, 'Health check type must be one of "port", "http", "process", "none"'],
  [{ 'health-check-http-endpoint': 'up' }, 'Health check HTTP endpoint must be a valid URI path'],
];
for (const [app, message] of wrong) {
  test(`manifest: ${JSON.stringify(app)} is refused`, () => {
    assert.deepEqual(problems({ applications: [{ name: 'a', ...app }] }), [`For application 'a': ${message}`]);
  });
}

test('a manifest without applications, of another version, and without a name is refused in the known words', () => {
  const none = "Cannot parse manifest with no 'applications' field.";
  for (const manifest of [undefined, null, 'x', [], {}, { applications: [] }])
    assert.deepEqual(problems(manifest), [none]);
  assert.deepEqual(problems({ version: 2 }), [
    'Unsupported manifest schema version. Currently supported versions: [1].',
  ]);
  assert.deepEqual(problems({ applications: [{}] }), ['For application at index 0: Name must not be empty']);
});

test('a problem names its place, in the spelling of the manifest', () => {
  const result = check({ name: 'a', processes: [{ type: 'web', disk_quota: 'x' }] });
  assert.ok('problems' in result);
  assert.deepEqual(result.problems[0]?.path, ['applications', 0, 'processes', 0, 'disk_quota']);
});

test('process keys of an application become its web process', () => {
  assert.deepEqual(only({ memory: '1G', instances: '2', command: 'default', timeout: 90 }).processes, [
    { type: 'web', command: null, instances: 2, memoryMb: 1024, timeoutS: 90, health: {}, readiness: {} },
  ]);
  assert.deepEqual(only({}).processes, []);
});

test('a web process replaces all process keys of the application', () => {
  const { processes } = only({ memory: '1G', command: 'x', processes: [{ type: 'web', instances: 3 }] });
  assert.deepEqual(processes, [{ type: 'web', instances: 3, health: {}, readiness: {} }]);
});

test('scalars of the environment become text, and buildpack takes several forms', () => {
  assert.deepEqual(only({ env: { A: 1, B: true, C: 'x', D: null } }).env, { A: '1', B: 'true', C: 'x', D: '' });
  assert.deepEqual(only({ buildpack: 'go' }).buildpacks, ['go']);
  assert.deepEqual(only({ buildpack: 'default' }).buildpacks, []);
  assert.equal(only({}).buildpacks, undefined);
});

test('health check none means process, and a log rate takes units and -1', () => {
  assert.deepEqual(only({ 'health-check-type': 'none' }).processes[0]?.health, { type: 'process' });
  assert.equal(only({ 'log-rate-limit-per-second': '16K' }).processes[0]?.logRateBytesS, 16_384);
  assert.equal(only({ 'log-rate-limit-per-second': -1 }).processes[0]?.logRateBytesS, -1);
});

test('any value at all is either refused or read, never a crash', () => {
  const keys = fc.constantFrom('name', 'env', 'memory', 'routes', 'services', 'processes', 'buildpacks', 'metadata');
  fc.assert(
    fc.property(fc.dictionary(keys, fc.jsonValue()), (app) => {
      const result = check(app);
      assert.ok('apps' in result || result.problems.length > 0);
    }),
  );
});

test('a diff tells what is added and replaced, and nothing about keys the manifest does not name', () => {
  const existing = {
    name: 'a',
    memory: '64M',
    env: { OLD: '1' },
    routes: [{ route: 'a.example' }],
    processes: [{ type: 'web', instances: 1 }],
  };
  const wanted = {
    name: 'a',
    memory: '128M',
    env: { NEW: '1' },
    routes: [{ route: 'a.example' }, { route: 'b.example' }],
    processes: [{ type: 'web', instances: 2 }],
  };
  assert.deepEqual(diffApplication(existing, wanted, 0), [
    { op: 'replace', path: '/applications/0/memory', was: '64M', value: '128M' },
    { op: 'add', path: '/applications/0/env/NEW', value: '1' },
    { op: 'add', path: '/applications/0/routes/1', value: { route: 'b.example' } },
    { op: 'replace', path: '/applications/0/processes/0/instances', was: 1, value: 2 },
  ]);
  assert.deepEqual(diffApplication({ memory: '1G' }, { memory: '1024M' }, 0), []);
  assert.deepEqual(diffApplication(undefined, { name: 'n', memory: '1G' }, 0), [
    { op: 'add', path: '/applications/0/name', value: 'n' },
  ]);
});

test('names and numbers beyond what the API takes are refused before anything is changed', () => {
  const messages = (applications: unknown) => {
    const checked = checkManifest({ applications });
    return 'problems' in checked ? checked.problems.map(({ message }) => message).join() : '';
  };
  assert.match(messages([{ name: 'n'.repeat(256) }]), /Name must not have more than 255 characters/);
  assert.match(messages([{ name: 'a\tb' }]), /control characters/);
  assert.match(messages([{ name: 'x', env: { A: 'x'.repeat(200_000) } }]), /'A' is too large/);
  assert.match(messages(Array.from({ length: 201 }, (_, n) => ({ name: `a${n}` }))), /200 applications, .* 201/);
});

test('a placement zone is a label of the app, and null takes it away', () => {
  const label = 'stackato/placement-zone';
  assert.deepEqual(only({ 'placement-zone': 'ssd', metadata: { labels: { a: 'b' } } }).labels, {
    a: 'b',
    [label]: 'ssd',
  });
  assert.deepEqual(only({ placement_zone: null }).labels, { [label]: null });
  assert.deepEqual(only({}).labels, {});
});
