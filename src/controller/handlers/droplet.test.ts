import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { type AppWorld, appWorld } from '../testing/app-world.ts';

/** A tar of one empty file. */
function tarOf(name: string): Buffer {
  const header = Buffer.alloc(512);
  header.write(name, 0);
  header.write('0000644\0', 100);
  header.write('00000000000\0', 124);
  header.write('        ', 148);
  header.write('0', 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, Buffer.alloc(1024)]);
}

async function newDroplet(world: AppWorld, app: string): Promise<string> {
  const body = { relationships: { app: { data: { guid: app } } }, process_types: { web: 'run' } };
  return (await world.call('POST', '/v3/droplets', { body })).body.guid;
}

test('a file that is no droplet is refused at its upload, and a right one may follow', async () => {
  await using world = await appWorld();
  const guid = await newDroplet(world, await world.createApp('demo'));
  const path = `/v3/droplets/${guid}`;
  const wrong = [Buffer.from('a text'), Buffer.alloc(0), gzipSync('a text'), gzipSync(Buffer.alloc(4096, 'x'))];
  for (const bits of wrong) {
    const answer = await world.sendMultipart(`${path}/upload`, { bits });
    assert.deepEqual([answer.status, answer.body.errors[0].code], [422, 10008], String(bits.subarray(0, 10)));
    assert.match(answer.body.errors[0].detail, /must be a gzip-compressed tar archive/);
    assert.equal((await world.call('GET', path)).body.state, 'AWAITING_UPLOAD');
    assert.equal((await world.call('GET', `${path}/download`)).status, 422, 'nothing was kept');
  }
  const right = await world.sendMultipart(`${path}/upload`, { bits: gzipSync(tarOf('app/run')) });
  assert.deepEqual([right.status, right.body.state], [202, 'STAGED']);
  assert.equal((await world.call('GET', `${path}/download`)).status, 200);
});
