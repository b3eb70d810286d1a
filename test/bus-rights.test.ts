import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { subjects } from '../src/contract/subjects.ts';
import { isAllowed } from '../src/core/bus-permissions.ts';

const SRC = fileURLToPath(new URL('../src', import.meta.url));

/** Folder of a component → its user on the bus. */
const users: Readonly<Record<string, string>> = {
  aok: 'aok',
  balancer: 'load_balancer',
  base: 'base',
  controller: 'controller',
  dea: 'dea',
  health: 'health_manager',
  kato: 'kato',
  logyard: 'logyard',
  mdns: 'mdns',
  primary: 'primary',
  router: 'router',
  stager: 'stager',
};
const USE = /\.(publish|request|subscribe)\(\s*(?:messages\.)?subjects\.(\w+)/g;

test('every component has the rights on the bus that its code uses', () => {
  const faults: string[] = [];
  let uses = 0;
  for (const [folder, user] of Object.entries(users)) {
    const files = globSync(`${folder}/**/*.ts`, { cwd: SRC });
    for (const file of files.filter((one) => !/\.test\.ts$|testing\/|test-/.test(one))) {
      for (const [, verb, name = ''] of readFileSync(join(SRC, file), 'utf8').matchAll(USE)) {
        const subject = subjects[name as keyof typeof subjects];
        const right = verb === 'subscribe' ? 'subscribe' : 'publish';
        uses += 1;
        if (!isAllowed(user, right, subject as never)) faults.push(`${file}: ${user} may not ${verb} ${name}`);
      }
    }
  }
  assert.deepEqual(faults, []);
  assert.ok(uses > 50, `only ${uses} uses were found; has the way to write them changed?`);
});
