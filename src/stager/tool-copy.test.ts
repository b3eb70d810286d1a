import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../platform/files.ts';
import { copyTools } from './tool-copy.ts';

test('a copy keeps what it had when its source is replaced, and can be read by everyone', async () => {
  await using folder = await temporaryDirectory('tools');
  const [from, to] = [join(folder.path, 'from'), join(folder.path, 'to')];
  await mkdir(join(from, 'go', 'bin'), { recursive: true });
  await mkdir(join(from, 'lib'));
  await writeFile(join(from, 'lib', 'shared.sh'), 'shared');
  await symlink('../../lib/shared.sh', join(from, 'go', 'bin', 'shared.sh'));
  await writeFile(join(from, 'go', 'bin', 'compile'), 'first');
  await chmod(join(from, 'go', 'bin', 'compile'), 0o700);
  await chmod(join(from, 'lib', 'shared.sh'), 0o600);
  await mkdir(join(to, 'left'), { recursive: true });

  await copyTools(from, to);
  await writeFile(join(from, 'go', 'bin', 'compile'), 'second');

  const mode = async (path: string) => (await stat(join(to, path))).mode & 0o777;
  assert.equal(await readFile(join(to, 'go', 'bin', 'compile'), 'utf8'), 'first');
  assert.equal(await readFile(join(to, 'go', 'bin', 'shared.sh'), 'utf8'), 'shared');
  assert.deepEqual(
    [await mode('go'), await mode('go/bin/compile'), await mode('lib/shared.sh')],
    [0o755, 0o755, 0o644],
  );
  await assert.rejects(stat(join(to, 'left')), { code: 'ENOENT' });
});
