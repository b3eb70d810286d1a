import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { resolveRoles } from '../core/role-plan.ts';
import { temporaryDirectory } from '../platform/files.ts';
import { parseRoleGroups, readRoleGroups } from './role-groups.ts';

test('groups of an administrator count beside those of this version, and may take their place', async () => {
  await using folder = await temporaryDirectory('groups');
  const paths = { roleGroupsFile: join(folder.path, 'role_groups.yml') };
  assert.ok((await readRoleGroups(paths))['data-services']?.includes('rabbit'));
  await writeFile(paths.roleGroupsFile, '# ours\nfront: [router, controller]\ndata-services:\n  - redis\n');
  const groups = await readRoleGroups(paths);
  assert.deepEqual(groups['data-services'], ['redis']);
  assert.deepEqual(resolveRoles(['front', 'router', 'dea'], groups), ['router', 'controller', 'dea']);
  const { refused } = resolveRoles(['fronts'], groups) as { refused: string };
  assert.match(refused, /did you mean front\?/);
});

test('what is wrong in the file is told with its line', () => {
  const table: [string, RegExp][] = [
    ['a: [dea]\nb: [router\n', /line [23]: /],
    ['a: [dea]\n\nb:\n  - dae\n', /line 4: there is no role 'dae'; did you mean dea\?/],
    ['a: [dea]\nrouter: [dea]\n', /line 2: 'router' is a role/],
    ['# only this\nb: dea\n', /line 2: the group b has no list of roles/],
    ['b:\n', /line 1: the group b has no list/],
    ['Big: [dea]\n', /line 1: 'Big' is no name/],
    ['- dea\n', /line 1: it is no list of groups by name/],
    ['a: [dea]\na: [stager]\n', /line 2: /],
    ['a: [[dea]]\n', /line 1: there is no role ''/],
  ];
  for (const [text, why] of table) assert.throws(() => parseRoleGroups(text, 'role_groups.yml'), why, text);
  assert.deepEqual(parseRoleGroups('# nothing\n', 'f'), {});
  assert.deepEqual(parseRoleGroups('', 'f'), {});
});
