import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatCandidates, planStaging } from './staging-plan.ts';

test('nothing runs before the package was checked, and nothing is uploaded before the result was read', () => {
  const kinds = planStaging({ hasCache: true }).map((step) => step.kind);
  const at = (kind: (typeof kinds)[number]) => kinds.indexOf(kind);
  assert.ok(at('check-package') < at('create-container') && at('create-container') < at('build'));
  assert.ok(at('fetch-cache') < at('build') && at('read-result') < at('upload'));
  assert.equal(new Set(kinds).size, kinds.length);
});

test('an app without a build cache does not fetch one', () => {
  assert.ok(!planStaging({ hasCache: false }).some((step) => step.kind === 'fetch-cache'));
});

test('no name or URL can add a line or a field for the build to read', () => {
  const text = formatCandidates([{ kind: 'git', location: 'https://h/a\nlocal\t/etc', branch: '', name: 'a\tb' }]);
  assert.equal(text, 'git\thttps://h/a local /etc\t-\ta b\n');
});
