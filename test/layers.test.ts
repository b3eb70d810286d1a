import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { subjects } from '../src/contract/subjects.ts';

const SRC = fileURLToPath(new URL('../src', import.meta.url));
const LAYER: Readonly<Record<string, number>> = {
  contract: 0,
  core: 1,
  platform: 2,
  bus: 3,
  container: 3,
  blobstore: 3,
  proxy: 3,
  supervisor: 3,
  controller: 4,
  aok: 4,
  stager: 4,
  dea: 4,
  router: 4,
  health: 4,
  primary: 4,
  base: 4,
  logyard: 4,
  services: 4,
  harbor: 4,
  balancer: 4,
  mdns: 4,
  stackato: 4,
  kato: 4,
  console: 4,
  roles: 5,
  'main.ts': 6,
};
const IMPORT = /(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g;
const AMBIENT =
  /\b(Date\.now|new Date\(\)|performance\.now|Math\.random|process\.(env|on|exit|hrtime)|setTimeout|setInterval|fetch\()/;
const SUBJECT = new RegExp(
  `['"\`](?:${Object.values(subjects)
    .map((subject) => (subject.name as (...params: string[]) => string)('PARAM'))
    .map((name) => name.replaceAll('.', '\\.').replaceAll('PARAM', '(?:\\*|\\$\\{[^}]*\\})'))
    .join('|')})['"\`]`,
);

const files = globSync('**/*.{ts,tsx}', { cwd: SRC });
const sources = files.filter((file) => !/\.(test|conformance)\.ts$/.test(file));
const textOf = (file: string) => readFileSync(join(SRC, file), 'utf8');
const codeOf = (file: string) => textOf(file).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
const partOf = (file: string) => file.split('/')[0] ?? '';
const importsOf = (file: string) => [...textOf(file).matchAll(IMPORT)].map(([, target = '']) => target);
const resolved = (file: string, target: string) => relative(SRC, join(SRC, dirname(file), target));

test('imports go down only, never sideways between components', () => {
  const faults: string[] = [];
  for (const file of sources) {
    const from = partOf(file);
    if (LAYER[from] === undefined) faults.push(`${file} is in a folder without a layer`);
    for (const target of importsOf(file).filter((t) => t.startsWith('.'))) {
      const to = partOf(resolved(file, target));
      if (to !== from && (LAYER[to] ?? 9) >= (LAYER[from] ?? -1)) faults.push(`${file} imports ${to}/`);
      if (from === 'console' && to !== from && to !== 'contract') faults.push(`${file} imports ${to}/`);
    }
  }
  assert.deepEqual(faults, []);
});

test('contract/ imports TypeBox only, core/ imports no package and reads nothing ambient', () => {
  const faults: string[] = [];
  for (const file of sources) {
    const part = partOf(file);
    const packages = importsOf(file).filter((target) => !target.startsWith('.'));
    if (part === 'core') faults.push(...packages.map((name) => `${file} imports ${name}`));
    if (part === 'contract') {
      faults.push(...packages.filter((name) => !/^typebox(\/|$)/.test(name)).map((name) => `${file} imports ${name}`));
    }
    if ((part === 'core' || part === 'contract') && AMBIENT.test(codeOf(file))) {
      faults.push(`${file} reads the clock, randomness or the process`);
    }
  }
  assert.deepEqual(faults, []);
});

test('each ambient thing has one home', () => {
  const faults: string[] = [];
  const only = (pattern: RegExp, homes: readonly RegExp[], what: string) => {
    for (const file of sources) {
      if (homes.some((home) => home.test(file)) || file.startsWith('console/')) continue;
      if (pattern.test(codeOf(file))) faults.push(`${file} ${what}`);
    }
  };
  only(/process\.env/, [/^platform\/config\.ts$/], 'reads the environment');
  only(/node:child_process/, [/^platform\/exec\.ts$/], 'starts processes');
  only(/shell:\s*true/, [], 'uses a shell string');
  only(SUBJECT, [/^contract\//], 'spells a bus subject');
  only(/from 'pg'|from 'kysely'/, [/^platform\/db\.ts$/, /\/store\//], 'speaks SQL outside a store');
  assert.deepEqual(faults, []);
});

test('there is no import cycle', () => {
  const state = new Map<string, 'open' | 'done'>();
  const cycles: string[] = [];
  const visit = (file: string, trail: readonly string[]) => {
    if (state.get(file) === 'done') return;
    if (state.get(file) === 'open') {
      cycles.push([...trail.slice(trail.indexOf(file)), file].join(' → '));
      return;
    }
    state.set(file, 'open');
    for (const target of importsOf(file).filter((t) => t.startsWith('.'))) {
      const next = resolved(file, target);
      if (sources.includes(next)) visit(next, [...trail, file]);
    }
    state.set(file, 'done');
  };
  for (const file of sources) visit(file, []);
  assert.deepEqual(cycles, []);
});

test('files stay small, are not drawers, and have no default export', () => {
  const faults: string[] = [];
  for (const file of files) {
    const lines = textOf(file).split('\n').length;
    const isTable = /^contract\/|\/migrations?\//.test(file);
    if (lines > 400 && !isTable) faults.push(`${file} has ${lines} lines`);
    if (/(^|\/)(utils?|helpers?|common|misc|types|index)\.tsx?$/.test(file)) faults.push(`${file} is a drawer`);
    if (/^export default/m.test(textOf(file)) && !file.endsWith('vite.config.ts'))
      faults.push(`${file} exports a default`);
  }
  assert.deepEqual(faults, []);
});
