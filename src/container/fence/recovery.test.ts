import assert from 'node:assert/strict';
import { chmod, mkdir, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemClock } from '../../platform/clock.ts';
import { exec } from '../../platform/exec.ts';
import { temporaryDirectory } from '../../platform/files.ts';
import { deadline, programProcess, shellProcess, smallSpec } from '../container.conformance.ts';
import { ContainerError } from '../container.ts';
import { btrfs } from './btrfs-commands.ts';
import { openFence } from './fence.ts';
import { readRecord, startTicksOf, writeRecord } from './record.ts';
import { openTestFence, type TestFence, tracesOf } from './testing/test-fence.ts';

const skip = process.getuid?.() === 0 ? false : 'the real engine needs root';

const recordOf = async (fence: TestFence, handle: string) => {
  const record = await readRecord(fence.layout, handle);
  if (!record) throw new Error(`no record of ${handle}`);
  return record;
};

describe('recovery of the engine', { skip }, () => {
  test('fifty containers made and destroyed leave nothing', async () => {
    await using fence = await openTestFence();
    const { engine } = fence;
    const before = await tracesOf(fence);
    const make = async (lane: number) => {
      for (let i = 0; i < 10; i++) {
        const handle = `c-${lane}-${i}`;
        await engine.create(smallSpec(handle, { ports: [8080] }));
        if (i % 3 !== 0) await engine.start(handle, programProcess(i % 3 === 1 ? 'forever' : 'hundred'));
        await engine.destroy(handle);
      }
    };
    await Promise.all([0, 1, 2, 3, 4].map(make));
    assert.deepEqual(await engine.list(), []);
    assert.deepEqual(await tracesOf(fence), before);
    assert.deepEqual(await engine.sweep(), []);
  });

  test('a closed engine watches no file any more, also when somebody still reads', async () => {
    await using fence = await openTestFence();
    const watches = () => process.getActiveResourcesInfo().filter((name) => name === 'FSEventWrap').length;
    const before = watches();
    const second = await fence.reopen();
    await second.create(smallSpec('read'));
    await second.start('read', programProcess('stubborn'));
    const readers = [0, 1].map(async () => {
      const texts: string[] = [];
      for await (const batch of second.output('read')) texts.push(...batch.map(({ text }) => text));
      return texts;
    });
    for await (const _ of second.output('read')) break;
    assert.ok(watches() > before);
    await second[Symbol.asyncDispose]();
    assert.deepEqual(await Promise.all(readers), [['ready'], ['ready']]);
    for (const end = deadline(); watches() > before; await systemClock.sleep(1)) end.throwIfAborted();
    assert.equal((await fence.engine.info('read')).state, 'running');
  });

  test('a container whose monitor is killed ends, and its end is told as unknown', async () => {
    await using fence = await openTestFence();
    await fence.engine.create(smallSpec('m'));
    await fence.engine.start('m', programProcess('forever'));
    const { conmonPid = 0, init } = await recordOf(fence, 'm');
    process.kill(conmonPid, 'SIGKILL');
    assert.equal((await fence.engine.wait('m', deadline())).code, -1);
    assert.equal(await startTicksOf(init?.pid ?? 0), undefined);
  });

  test('an end that nobody saw is known to the next engine', async () => {
    await using fence = await openTestFence();
    await fence.engine.create(smallSpec('unseen'));
    await fence.engine.start('unseen', shellProcess('read line < /dev/zero; exit 7'));
    await fence.engine[Symbol.asyncDispose]();
    const record = await recordOf(fence, 'unseen');
    process.kill(record.init?.pid ?? 0, 'SIGKILL');
    const next = await fence.reopen();
    assert.equal((await next.wait('unseen', deadline())).code, 137);
  });

  test('the disk use of what has ended is read after its end, however little later', async () => {
    await using fence = await openTestFence();
    await fence.engine.create(smallSpec('ended'));
    await fence.engine.start('ended', programProcess('hundred'));
    await fence.engine.wait('ended', deadline());
    const root = await fence.engine.rootPath('ended');
    await fence.engine[Symbol.asyncDispose]();
    const nowMs = systemClock.nowMs();
    const record = await recordOf(fence, 'ended');
    // Its end was at the time that the clock shows, and is dated by the tick before.
    await writeRecord(fence.layout, { ...record, exit: { code: 1, outOfMemory: false, atMs: nowMs - 4 } });
    const next = await fence.reopen({ clock: { ...systemClock, nowMs: () => nowMs } });
    await next.create(smallSpec('other'));
    await next.stats('other');
    await writeFile(join(root, 'last'), Buffer.alloc(5e6, 1));
    await exec(['sync', '--file-system', fence.layout.store]);
    assert.ok((await next.stats('ended')).diskBytes >= 5e6);
  });

  test('containers of an earlier boot have ended, and can be destroyed', async () => {
    await using fence = await openTestFence();
    await fence.engine.create(smallSpec('old'));
    await fence.engine.start('old', programProcess('hundred'));
    await fence.engine.wait('old', deadline());
    await fence.engine[Symbol.asyncDispose]();
    const { exit: _, ...record } = await recordOf(fence, 'old');
    // A reboot leaves the record and the files, and takes the processes and what conmon had not written.
    await exec(['rm', '-f', fence.layout.exit('old')]);
    await writeRecord(fence.layout, { ...record, bootId: 'earlier', init: { pid: process.pid, startTicks: '1' } });
    const next = await fence.reopen();
    assert.equal((await next.info('old')).state, 'exited');
    assert.equal((await next.wait('old', deadline())).code, -1);
    await next.destroy('old');
    assert.deepEqual(await tracesOf(fence), []);
  });

  test('what was half made or half destroyed is taken away by the next engine', async () => {
    await using fence = await openTestFence();
    await fence.engine.create(smallSpec('half'));
    await fence.engine.create(smallSpec('rest', { ports: [8080] }));
    await fence.engine.start('rest', programProcess('forever'));
    await fence.engine[Symbol.asyncDispose]();
    await writeRecord(fence.layout, { ...(await recordOf(fence, 'half')), phase: 'creating' });
    await writeRecord(fence.layout, { ...(await recordOf(fence, 'rest')), phase: 'destroying' });
    const next = await fence.reopen();
    assert.deepEqual(await next.list(), []);
    assert.deepEqual(await tracesOf(fence), []);
  });

  test('sweep finds what belongs to no container, and says what it removed', async () => {
    await using fence = await openTestFence();
    const { engine, layout, names } = fence;
    await engine.create(smallSpec('kept', { ports: [8080] }));
    await engine.start('kept', programProcess('forever'));
    const before = await tracesOf(fence);
    await exec(btrfs.createSubvolume(layout.root('orphan')));
    await exec(btrfs.createSubvolume(join(layout.making, 'unfinished')));
    await mkdir(layout.folder('nothing'));
    await exec(['ip', 'link', 'add', names.veth(900), 'type', 'veth']);
    await mkdir(`/sys/fs/cgroup/pids${names.cgroup('gone')}`, { recursive: true });
    const rules = `add chain inet ${names.table} exact901\nadd chain inet ${names.table} broad901\n
      add element inet ${names.table} members { "${names.veth(901)}" . 10.251.3.134 }
      add element inet ${names.table} exact { 10.251.3.134 : jump exact901 }
      add element inet ${names.table} broad { 10.251.3.134 : jump broad901 }
      add element inet ${names.table} ports { 39800 : 10.251.3.134 . 8080 }`;
    await exec(['nft', '-f', '-'], { input: rules });
    const removed = await engine.sweep();
    assert.deepEqual(await tracesOf(fence), before);
    for (const what of [
      'containers/test/orphan',
      'unfinished',
      'folder nothing',
      'device',
      'control group gone',
      'rules',
    ]) {
      assert.ok(
        removed.some((line) => line.includes(what)),
        `${what} in ${removed.join('; ')}`,
      );
    }
    assert.equal((await engine.info('kept')).state, 'running');
  });

  test('engines of two pools open one store at the same time, and keep apart', async () => {
    await using fence = await openTestFence({ otherPools: ['other'] });
    const other = await openFence({ ...fence.options, pool: 'other', network: '10.251.4.0/22' });
    try {
      await Promise.all([fence.engine.create(smallSpec('same')), other.create(smallSpec('same'))]);
      assert.equal((await other.list()).length, 1);
      await other.destroy('same');
      assert.equal((await fence.engine.list()).length, 1);
      assert.deepEqual(await other.sweep(), []);
    } finally {
      await other[Symbol.asyncDispose]();
    }
  });

  test('a log that is full is replaced, and a reader that keeps up loses nothing', async () => {
    await using fence = await openTestFence({ logBytes: 100_000 });
    const { engine, layout } = fence;
    await engine.create(smallSpec('r'));
    const thousand = `awk -v from=$i 'BEGIN { for (k = 0; k < 1000; k++) print "line " (from * 1000 + k) }'`;
    // It waits until the last thousand lines were read before it prints more.
    await engine.start(
      'r',
      shellProcess(`for i in 0 1 2 3 4; do ${thousand}; while [ ! -e /tmp/$i ]; do :; done; done`),
    );
    const root = await engine.rootPath('r');
    let next = 0;
    for await (const batch of engine.output('r', { signal: deadline() })) {
      for (const line of batch) {
        assert.equal(line.text, `line ${next}`);
        next += 1;
        if (next % 1000 === 0) await writeFile(join(root, 'tmp', String(next / 1000 - 1)), '');
      }
    }
    assert.equal(next, 5000);
    assert.ok((await stat(layout.log('r'))).size <= 100_000);
  });

  test('a full store is an error of its kind, and passes when there is room again', async () => {
    await using fence = await openTestFence({ storeMb: 300 });
    const { engine } = fence;
    const unlimited = { memoryMb: 64, diskMb: 0, pids: 64, fds: 256 };
    await engine.create(smallSpec('hog', { limits: unlimited }));
    await engine.start('hog', shellProcess('dd if=/dev/zero of=/home/vcap/big bs=1M; sync'));
    await engine.wait('hog', deadline());
    const fill = engine.prepareImage({ key: 'k', stack: 'tiny' }, async (root) => {
      await exec(['dd', 'if=/dev/zero', `of=${join(root, 'big')}`, 'bs=1M', 'count=200']);
    });
    await assert.rejects(fill, /No space left/);
    await engine.create(smallSpec('small')).catch((error) => {
      assert.ok(error instanceof ContainerError && error.kind === 'disk-full', String(error));
    });
    await engine.destroy('hog');
    await exec(['btrfs', 'subvolume', 'sync', fence.layout.store]);
    await engine.create(smallSpec('next'));
    await engine.start('next', programProcess('hundred'));
    assert.equal((await engine.wait('next', deadline())).code, 0);
  });

  test('a disk that others fill fails new writes of containers, and never the store', async () => {
    await using folder = await temporaryDirectory('small-disk');
    const disk = join(folder.path, 'disk');
    await mkdir(disk);
    await exec(['truncate', '--size', '2600M', `${disk}.img`]);
    await exec(['mkfs.ext4', '-q', '-m', '0', `${disk}.img`]);
    await exec(['mount', '-o', 'loop', `${disk}.img`, disk]);
    try {
      for (const path of [folder.path, disk]) await chmod(path, 0o711);
      await using fence = await openTestFence({ storeMb: 2048, directory: join(disk, 'fence') });
      const { engine } = fence;
      const { bavail, bsize } = await statfs(disk);
      await exec(['fallocate', '--length', String(bavail * bsize - 2 ** 24), join(disk, 'fill')]);
      const unlimited = { memoryMb: 64, diskMb: 0, pids: 64, fds: 256 };
      await engine.create(smallSpec('hog', { limits: unlimited }));
      // As much as the file system inside could hold if it were backed by nothing.
      await engine.start('hog', shellProcess('dd if=/dev/zero of=/home/vcap/big bs=1M count=1900; sync'));
      await engine.wait('hog', deadline());
      const { totalBytes } = await engine.space();
      assert.equal(totalBytes, (await stat(fence.layout.storeImage)).size);
      await engine.destroy('hog');
      await exec(['btrfs', 'subvolume', 'sync', fence.layout.store]);
      await engine.create(smallSpec('next'));
      await engine.start('next', programProcess('hundred'));
      assert.equal((await engine.wait('next', deadline())).code, 0);

      await rm(join(disk, 'fill'));
      assert.ok((await engine.space()).totalBytes > totalBytes);
    } finally {
      await exec(['umount', disk]);
    }
  });
});
