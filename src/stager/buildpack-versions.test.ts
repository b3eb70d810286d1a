import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { exec } from '../platform/exec.ts';
import { temporaryDirectory } from '../platform/files.ts';

const BUILDPACKS = fileURLToPath(new URL('../../buildpacks', import.meta.url));

type Build = {
  readonly script: string;
  readonly app: Readonly<Record<string, string>>;
  /** Programs of the stack, played by shell scripts. */
  readonly programs: Readonly<Record<string, string>>;
};

/** Runs a script of a buildpack over an app, with these programs in place of the stack's. */
async function build({ script, app, programs }: Build) {
  await using folder = await temporaryDirectory('buildpack');
  const put = async (path: string, text: string) => {
    await mkdir(dirname(join(folder.path, path)), { recursive: true });
    await writeFile(join(folder.path, path), text);
  };
  for (const [name, text] of Object.entries(app)) await put(`app/${name}`, text);
  // Registries that answer.
  for (const [name, text] of Object.entries({ 'bin/curl': 'echo 200', ...programs })) {
    await put(name, `#!/bin/bash\n${text}\n`);
    await chmod(join(folder.path, name), 0o755);
  }
  const at = (name: string) => join(folder.path, name);
  return await exec(['bash', join(BUILDPACKS, script), at('app'), at('cache'), at('deps'), '0'], {
    env: { PATH: `${at('bin')}:/usr/bin:/bin`, TMPDIR: folder.path, HOME: folder.path },
    okCodes: [0, 1, 18],
  });
}

const cases: readonly (Build & { readonly name: string; readonly says: RegExp })[] = [
  {
    name: 'Ruby',
    script: 'ruby/bin/compile',
    app: { Gemfile: 'ruby "9.9.9"' },
    programs: {
      'bin/ruby': 'if [ "$1" = -v ]; then echo "ruby 3.1.2p20 (x)"; else echo 3.1.2; fi',
      'bin/bundle':
        'if [ "$1" = -v ]; then echo "Bundler version 2.3.15"; else echo "Your Ruby version is 3.1.2, but your Gemfile specified 9.9.9"; exit 18; fi',
    },
    says: /The stack has 3\.1\.2 only\. Change the line 'ruby' of the Gemfile/,
  },
  {
    name: 'Java, by system.properties',
    script: 'java/bin/compile',
    app: { 'pom.xml': '<project/>', 'system.properties': 'java.runtime.version=21' },
    programs: { 'bin/java': `echo 'openjdk version "17.0.21" 2026-01-01' >&2`, 'bin/mvn': 'exit 1' },
    says: /asks for Java 21; the stack has 17\./,
  },
  {
    name: 'Java, as the compiler says',
    script: 'java/bin/compile',
    app: { 'pom.xml': '<project/>' },
    programs: {
      'bin/java': `echo 'openjdk version "17.0.21" 2026-01-01' >&2`,
      'bin/mvn': 'echo "[ERROR] Fatal error compiling: error: release version 25 not supported"; exit 1',
    },
    says: /asks for Java 25; the stack has 17\./,
  },
  {
    name: 'Python',
    script: 'python/bin/finalize',
    app: { 'requirements.txt': 'django>=6' },
    programs: {
      'deps/0/venv/bin/pip':
        'echo "ERROR: Ignored the following versions that require a different python version: 6.0 Requires-Python >=3.12" >&2; exit 1',
      'deps/0/venv/bin/python': 'echo 3.11.2',
    },
    says: /needs another Python than the stack's 3\.11\.2\./,
  },
];
for (const { name, says, ...input } of cases) {
  test(`an app for another version than the stack has is told which there is: ${name}`, async () => {
    const { code, stdout, stderr } = await build(input);
    assert.notEqual(code, 0);
    assert.match(stdout, says, stderr);
    assert.match(stdout, /buildpack that brings its own|works with this one/);
  });
}
