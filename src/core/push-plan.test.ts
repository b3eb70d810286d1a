import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AppSpec } from './client-manifest.ts';
import { detectFramework } from './framework.ts';
import { type PushFacts, type PushFlags, type PushPlan, planPush } from './push-plan.ts';

const files = (...names: string[]) => detectFramework({ files: names, read: () => undefined });
const noFlags: PushFlags = { manifest: {}, env: {}, routes: [] };
const bare: AppSpec = { routes: [], ignores: [], manifest: {} };
const facts: PushFacts = {
  detection: files('package.json'),
  isNew: true,
  serverBuildpacks: ['nodejs_buildpack', 'binary_buildpack'],
  folderName: 'My App!',
  substitutions: { 'target-base': 'example.com', space: 'dev' },
};
const plan = (spec: Partial<AppSpec>, flags: Partial<PushFlags> = {}, more: Partial<PushFacts> = {}) =>
  planPush({ ...bare, ...spec }, { ...noFlags, ...flags }, { ...facts, ...more });
const planned = (...args: Parameters<typeof plan>): PushPlan => {
  const result = plan(...args);
  assert.ok(!('refusal' in result), JSON.stringify(result));
  return result;
};
const refused = (...args: Parameters<typeof plan>) => {
  const result = plan(...args);
  assert.ok('refusal' in result);
  return result;
};

test('without anything said: the name of the folder, the default route, memory for the framework', () => {
  const { name, manifest, decisions } = planned({});
  assert.equal(name, 'my-app');
  assert.deepEqual(manifest, { name: 'my-app', 'default-route': true, memory: '256M' });
  assert.deepEqual(
    decisions.map(({ what }) => what),
    ['name my-app', 'Node.js', 'memory 256M'],
  );
  assert.match(refused({}, {}, { folderName: '...' }).refusal, /no name/);
});

test('flags win over the manifest, variables add up', () => {
  const { manifest } = planned(
    { name: 'a', manifest: { memory: '1G', instances: 2, env: { A: '1', B: '1' } } },
    { name: 'b', manifest: { memory: '2G' }, env: { B: '2' } },
  );
  assert.deepEqual(manifest, { name: 'b', memory: '2G', instances: 2, env: { A: '1', B: '2' }, 'default-route': true });
});

test('an existing app keeps its memory', () => {
  assert.equal(planned({ name: 'a' }, {}, { isNew: false }).manifest.memory, undefined);
});

test('routes: written, by domain, by host, random, none', () => {
  const routesOf = (...args: Parameters<typeof plan>) => {
    const { manifest } = planned(...args);
    return (manifest.routes as { route: string }[] | undefined)?.map(({ route }) => route);
  };
  assert.deepEqual(routesOf({ name: 'a', routes: ['https://${name}.${target-base}/'] }), ['a.example.com']);
  assert.deepEqual(routesOf({ name: 'a', domain: 'x.com' }), ['a.x.com']);
  assert.deepEqual(routesOf({ name: 'a', host: 'h' }), ['h.example.com']);
  assert.deepEqual(routesOf({ name: 'a', routes: ['old.x.com'] }, { routes: ['new.x.com'] }), ['new.x.com']);
  assert.deepEqual(routesOf({ name: 'a', routes: ['old.x.com'] }, { domain: 'y.com' }), ['a.y.com']);
  assert.equal(routesOf({ name: 'a', routes: ['x.com'] }, { manifest: { 'no-route': true } }), undefined);
  assert.equal(planned({ name: 'a', manifest: { 'random-route': true } }).manifest['default-route'], undefined);
  assert.match(refused({ name: 'a', routes: ['${nope}.x'] }).refusal, /uses \$\{nope\}, which is not known/);
});

test('several frameworks: the first is named to the server, and the others to the user', () => {
  const ambiguous = files('requirements.txt', 'package.json');
  const { manifest, decisions } = planned({}, {}, { detection: ambiguous, serverBuildpacks: ['python_buildpack'] });
  assert.deepEqual(manifest.buildpacks, ['python_buildpack']);
  assert.match(decisions.map(({ because }) => because).join(), /could also be Node\.js/);
  assert.equal(planned({}, {}, { detection: ambiguous, serverBuildpacks: ['x'] }).manifest.buildpacks, undefined);
});

test('no framework: refused, unless it is said what it is, or the server may know', () => {
  const detection = files('readme');
  const refusal = refused({}, {}, { detection });
  assert.ok((refusal.lookedFor?.length ?? 0) > 5);
  assert.deepEqual(planned({ manifest: { command: './run' } }, {}, { detection }).manifest.buildpacks, [
    'binary_buildpack',
  ]);
  assert.deepEqual(planned({}, { manifest: { buildpacks: ['x'] } }, { detection }).manifest.buildpacks, ['x']);
  assert.deepEqual(planned({ framework: 'python' }, {}, { detection }).manifest.buildpacks, ['python_buildpack']);
  assert.ok(planned({}, {}, { detection, serverBuildpacks: ['rust_buildpack'] }));
  assert.match(refused({ framework: 'cobol' }, {}, { detection }).refusal, /no framework called 'cobol'/);
});
