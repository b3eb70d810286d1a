import assert from 'node:assert/strict';
import { test } from 'node:test';
import { detectFramework, frameworkNamed, isBuiltInBuildpack } from './framework.ts';

const folder = (...files: (string | [string, string])[]) => {
  const texts = new Map(files.filter((file) => typeof file !== 'string'));
  return {
    files: files.map((file) => (typeof file === 'string' ? file : file[0])),
    read: (path: string) => texts.get(path),
  };
};

const cases: [string, ReturnType<typeof folder>, string, string, string[]][] = [
  [
    'an npm app',
    folder(['package.json', '{"scripts":{"start":"node a.js"}}'], 'index.html'),
    'nodejs_buildpack',
    'package.json, start script `node a.js`',
    [],
  ],
  [
    'an npm app without a start script',
    folder(['package.json', '{}'], 'server.js'),
    'nodejs_buildpack',
    'package.json, server.js',
    [],
  ],
  [
    'a broken package.json',
    folder(['package.json', '{']),
    'nodejs_buildpack',
    'package.json without a start script',
    [],
  ],
  [
    'a strange package.json',
    folder(['package.json', '[1]']),
    'nodejs_buildpack',
    'package.json without a start script',
    [],
  ],
  [
    'a Rails app',
    folder('Gemfile', 'config.ru', ['package.json', '{}']),
    'ruby_buildpack',
    'Gemfile, config.ru',
    ['nodejs_buildpack'],
  ],
  [
    'a Flask app',
    folder('requirements.txt', 'app.py', ['Procfile', 'web: python app.py\nworker: x']),
    'python_buildpack',
    'requirements.txt, start command `python app.py` from the Procfile',
    [],
  ],
  [
    'a Django app with a front end',
    folder('requirements.txt', ['package.json', '{}']),
    'python_buildpack',
    'requirements.txt',
    ['nodejs_buildpack'],
  ],
  ['a Go module', folder('go.mod', 'main.go'), 'go_buildpack', 'go.mod', []],
  ['Go without a module', folder('main.go'), 'go_buildpack', 'main.go', []],
  ['a PHP page', folder('hello.php'), 'php_buildpack', 'hello.php', []],
  ['a Maven project', folder('pom.xml', 'src/main/java/A.java'), 'java_buildpack', 'pom.xml', []],
  ['a jar in a folder', folder('app.jar'), 'java_buildpack', 'app.jar', []],
  [
    'the inside of a jar',
    folder(['META-INF/MANIFEST.MF', 'Manifest-Version: 1.0\nMain-Class: A\n'], 'A.class'),
    'java_buildpack',
    'Main-Class in META-INF/MANIFEST.MF',
    [],
  ],
  ['a site', folder('index.html', 'style.css'), 'staticfile_buildpack', 'index.html', []],
  [
    'a program',
    folder('run', ['Procfile', 'web: ./run']),
    'binary_buildpack',
    'Procfile, start command `./run` from the Procfile',
    [],
  ],
];

for (const [name, facts, buildpack, because, others] of cases) {
  test(`recognizes ${name}`, () => {
    const detection = detectFramework(facts);
    assert.ok(detection.found);
    assert.equal(detection.found.buildpack, buildpack);
    assert.equal(detection.found.because, because);
    assert.deepEqual(
      detection.others.map((one) => one.buildpack),
      others,
    );
  });
}

test('says what it looked for when nothing matches; files deeper down do not count', () => {
  const detection = detectFramework(folder('docs/index.php', 'src/main.go', 'notes.txt'));
  assert.ok(!detection.found);
  assert.ok(detection.lookedFor.length >= 8);
  assert.ok(detection.lookedFor.includes('package.json (Node.js)'));
});

test('knows frameworks by the names people write', () => {
  for (const name of ['node', 'nodejs', 'Node.js', 'nodejs_buildpack']) {
    assert.equal(frameworkNamed(name)?.buildpack, 'nodejs_buildpack', name);
  }
  assert.equal(frameworkNamed('static')?.buildpack, 'staticfile_buildpack');
  assert.equal(frameworkNamed('cobol'), undefined);
  assert.ok(isBuiltInBuildpack('go_buildpack'));
  assert.ok(!isBuiltInBuildpack('rust_buildpack'));
});
