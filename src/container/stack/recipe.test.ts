import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatAptSource, parseLines, parseStanzas, selectAptSources } from './apt-sources.ts';
import { debootstrapCommand, defaultRecipePath } from './build-stack.ts';
import { readRecipe } from './recipe.ts';

test('the platform ships a recipe that can be read, with the user that apps run as', async () => {
  const recipe = await readRecipe(defaultRecipePath);
  assert.equal(recipe.name, 'stackato');
  assert.deepEqual(recipe.user, { name: 'vcap', id: 2000, home: '/home/vcap' });
  const argv = debootstrapCommand(recipe, { root: '/r', list: '/l', aptOptions: ['Acquire::http::Proxy "http://p"'] });
  assert.deepEqual(argv.slice(-3), ['trixie', '/r', '/l']);
  assert.ok(argv.includes('--aptopt=Acquire::http::Proxy "http://p"'));
  assert.ok(argv.some((arg) => arg.startsWith('--include=bash,')));
});

test('sources are read in both forms', () => {
  const stanza = `Types: deb
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
Enabled: no
URIs: http://off.example
Suites: bookworm
Components: main
`;
  const sources = parseStanzas(stanza);
  assert.deepEqual(
    sources.map(({ suite }) => suite),
    ['bookworm', 'bookworm-updates'],
  );
  const [first] = sources;
  assert.ok(first);
  assert.equal(
    formatAptSource(first, ['main']),
    'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian bookworm main',
  );
  assert.deepEqual(parseLines('# no\ndeb [arch=amd64] http://m.example/debian bookworm main contrib # x\n'), [
    { uri: 'http://m.example/debian', suite: 'bookworm', components: ['main', 'contrib'] },
  ]);
});

test('packages of another release come from the servers of the machine’s own, unless that release is named', () => {
  const source = (uri: string, suite: string, components = ['main']) => ({ uri, suite, components });
  const all = [
    source('http://m', 'bookworm'),
    source('http://m', 'bookworm-updates'),
    source('http://s', 'bookworm-security'),
    source('http://b', 'bookworm-backports'),
    source('http://other', 'bookworm', ['contrib']),
  ];
  const select = (more: typeof all, own = 'bookworm') =>
    selectAptSources([...all, ...more], { suite: 'trixie', own }).map(({ uri, suite }) => `${uri} ${suite}`);
  assert.deepEqual(select([]), ['http://m trixie', 'http://m trixie-updates', 'http://s trixie-security']);
  assert.deepEqual(select([source('http://mine', 'trixie')]), ['http://mine trixie']);
  assert.deepEqual(select([], ''), []);
});
