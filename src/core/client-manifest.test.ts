import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readClientManifest } from './client-manifest.ts';
import type { Tree } from './client-manifest-tree.ts';
import { closest } from './spelling.ts';

/** A tree of a plain value; every key gets the next line. */
function tree(value: unknown): Tree {
  let line = 0;
  const build = (one: unknown): Tree => {
    if (Array.isArray(one)) return { kind: 'list', line: line + 1, items: one.map(build) };
    if (typeof one === 'object' && one !== null) {
      const at = line + 1;
      const entries = Object.entries(one).map(([key, child]) => ({ key, line: ++line, value: build(child) }));
      return { kind: 'map', line: at, entries };
    }
    const scalar = one as string | number | boolean | null;
    return { kind: 'scalar', line, value: scalar, text: scalar === null ? '' : String(scalar) };
  };
  return build(value);
}
const read = (value: unknown, env: Record<string, string> = {}) => readClientManifest(tree(value), (name) => env[name]);
const only = (value: unknown) => {
  const { apps, faults } = read(value);
  assert.deepEqual(faults, []);
  assert.equal(apps.length, 1);
  return apps[0];
};
const faultsOf = (value: unknown) => read(value).faults.map(({ line, key, message }) => `${line} ${key}: ${message}`);

test('reads a manifest.yml as cf does', () => {
  const app = only({
    applications: [
      {
        name: 'shop',
        memory: '256M',
        disk_quota: '1G',
        instances: 2,
        buildpacks: ['a', 'b'],
        command: null,
        env: { A: 1, B: true, C: 'x' },
        routes: [{ route: 'shop.example.com' }, { route: 'example.com/shop' }],
        'health-check-type': 'http',
        'health-check-http-endpoint': '/ok',
        timeout: 90,
        services: ['db'],
        processes: [{ type: 'worker', instances: 1, 'disk-quota': '2G' }],
        metadata: { labels: { a: 'b' } },
      },
    ],
  });
  assert.deepEqual(app, {
    name: 'shop',
    routes: ['shop.example.com', 'example.com/shop'],
    ignores: [],
    manifest: {
      memory: '256M',
      disk_quota: '1G',
      instances: 2,
      buildpacks: ['a', 'b'],
      command: null,
      env: { A: '1', B: 'true', C: 'x' },
      'health-check-type': 'http',
      'health-check-http-endpoint': '/ok',
      timeout: 90,
      services: ['db'],
      processes: [{ type: 'worker', instances: 1, disk_quota: '2G' }],
      metadata: { labels: { a: 'b' } },
    },
  });
});

test('reads a stackato.yml with its own names', () => {
  const app = only({
    name: 'shop',
    mem: 128,
    disk: '2GB',
    'app-dir': 'src',
    url: ['a.example.com', '${name}.${target-base}'],
    framework: { type: 'node' },
    ignores: ['*.log'],
    services: { db: 'postgresql' },
    processes: { web: 'node a.js', worker: 'node b.js' },
    env: { A: { default: 'x', prompt: 'A?' } },
  });
  assert.deepEqual(app, {
    name: 'shop',
    path: 'src',
    routes: ['a.example.com', '${name}.${target-base}'],
    framework: 'node',
    ignores: ['*.log'],
    manifest: {
      memory: '128M',
      disk_quota: '2GB',
      services: ['db'],
      command: 'node a.js',
      processes: [{ type: 'worker', command: 'node b.js' }],
      env: { A: 'x' },
    },
  });
});

test('a stackato group adds to an application, top keys are defaults, the 2.x map names folders', () => {
  assert.equal(only({ applications: [{ name: 'a', memory: '1G', stackato: { mem: '2G' } }] })?.manifest.memory, '2G');
  assert.equal(
    only({ version: 1, memory: '1G', 'x-notes': { anything: 1 }, applications: [{ name: 'a' }] })?.manifest.memory,
    '1G',
  );
  assert.equal(only({ applications: { './sub': { name: 'a' } } })?.path, './sub');
});

test('names line and key of everything that is wrong', () => {
  assert.deepEqual(
    faultsOf({
      applications: [
        { name: 'a', memory: '12Q', instances: -1, random_route: 'maybe', env: { A: ['x'] }, memroy: '1G' },
      ],
    }),
    [
      "3 memory: '12Q' is not a size; write a number with M or G, such as 256M or 1G",
      "4 instances: must be a whole number from 0, not '-1'",
      "5 random_route: must be true or false, not 'maybe'",
      '7 A: must be a text; quote lists and objects as JSON text',
      "8 memroy: is not a key that is known here; did you mean 'memory'?",
    ],
  );
  assert.deepEqual(faultsOf('text'), ["0 applications: the file must hold keys, not 'text'"]);
  assert.match(faultsOf({ applications: [] })[0] ?? '', /must be a list of applications, not an empty list/);
  assert.match(faultsOf({ applications: ['x'] })[0] ?? '', /an application must be a group of keys/);
  assert.match(faultsOf({ applications: [{ name: 'a', docker: { image: 'x' } }] })[0] ?? '', /not supported yet/);
  assert.match(faultsOf({ name: 'a', processes: [{ command: 'x' }] })[0] ?? '', /needs a type/);
  assert.match(faultsOf({ name: 'a', constructor: 1 })[0] ?? '', /is not a key/);
});

test('what is not supported yet is said', () => {
  assert.deepEqual(read({ name: 'a', cron: ['x'] }).notes, ["line 2: 'cron' is not supported yet and has no effect"]);
});

test('variables can be inherited or required', () => {
  const env = { A: { required: true, inherit: true }, B: { inherit: true } };
  assert.deepEqual(read({ name: 'a', env }, { A: '1' }).apps[0]?.manifest, { env: { A: '1' } });
  assert.match(faultsOf({ name: 'a', env })[0] ?? '', /is required and has no value; give it with --env A=/);
});

test('suggests the word that was meant, or nothing', () => {
  const known = ['memory', 'name', 'instances', 'env'];
  for (const [typed, meant] of [
    ['memroy', 'memory'],
    ['nmae', 'name'],
    ['instance', 'instances'],
    ['evn', 'env'],
    ['zebra', undefined],
    ['', undefined],
  ] as const) {
    assert.equal(closest(typed, known), meant, typed);
  }
});
