import assert from 'node:assert/strict';
import { mkdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../platform/files.ts';
import { setTimeZone } from './time-zone.ts';

test('a time zone that exists is set once; others are refused and change nothing', async () => {
  await using folder = await temporaryDirectory('time-zone');
  const places = { etc: join(folder.path, 'etc'), zones: join(folder.path, 'zones') };
  await mkdir(places.etc);
  await mkdir(join(places.zones, 'Europe'), { recursive: true });
  await writeFile(join(places.zones, 'Europe', 'Zurich'), 'TZif');
  await writeFile(join(places.etc, 'localtime'), 'a copy');
  assert.equal(await setTimeZone('Europe/Zurich', places), true);
  assert.equal(await readlink(join(places.etc, 'localtime')), join(places.zones, 'Europe', 'Zurich'));
  assert.equal(await readFile(join(places.etc, 'timezone'), 'utf8'), 'Europe/Zurich\n');
  assert.equal(await setTimeZone('Europe/Zurich', places), false);
  for (const wrong of ['Europe', 'Europe/Nowhere', '../etc/localtime']) {
    await assert.rejects(setTimeZone(wrong, places), /there is no time zone/);
  }
});
