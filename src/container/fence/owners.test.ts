import assert from 'node:assert/strict';
import { chmod, chown, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { programProcess, shellProcess, smallSpec } from '../container.conformance.ts';
import { ID_COUNT } from './id-ranges.ts';
import { readRecord } from './record.ts';
import { openTestFence, type TestFence } from './testing/test-fence.ts';

const skip = process.getuid?.() === 0 ? false : 'the real engine needs root';
const ROOT = { uid: 0, gid: 0 };

for (const ahead of [0, 1])
  describe(`owners of a container, ${ahead} made ahead`, { skip }, () => {
    let fence: TestFence;
    before(async () => {
      fence = await openTestFence();
    });
    after(async () => {
      await fence[Symbol.asyncDispose]();
    });
    const run = async (handle: string, more: object = {}) => {
      await fence.engine.keepReady(ahead);
      await fence.engine.create(smallSpec(handle, more));
      await fence.engine.start(handle, programProcess('forever'));
    };
    const hostIdsOf = async (handle: string) => {
      const entry = (await fence.recordOf(handle)) ?? assert.fail(`no record of ${handle}`);
      const status = await readFile(`/proc/${entry.init?.pid}/status`, 'utf8');
      const ids = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
      return { uid: ids('Uid'), gid: ids('Gid'), firstId: entry.firstId };
    };

    test('processes of two containers have no user or group in common, and none of the host', async () => {
      for (const handle of ['one', 'two']) await run(handle);
      const [one, two] = [await hostIdsOf('one'), await hostIdsOf('two')];
      for (const each of [one, two]) {
        assert.deepEqual([each.uid, each.gid], [each.firstId + 2000, each.firstId + 2000]);
        assert.ok(each.firstId >= fence.engine.idOffset + ID_COUNT);
      }
      assert.ok(Math.abs(one.firstId - two.firstId) >= ID_COUNT);
    });

    test('files have the same owners for the host, whichever container wrote them', async () => {
      const { engine } = fence;
      for (const handle of ['three', 'four']) {
        await run(handle);
        const wrote = await engine.exec(handle, shellProcess('echo x > /home/vcap/mine; ls -ln /home/vcap/mine'));
        assert.match(wrote.stdout, /2000 +2000/);
        const byRoot = await engine.exec(handle, shellProcess('echo x > /etc/new; chown 33:34 /etc/new', ROOT));
        assert.equal(byRoot.code, 0, byRoot.stderr);
        const root = await engine.rootPath(handle);
        const owners = async (path: string) => {
          const { uid, gid } = await stat(join(root, path));
          return [uid - engine.idOffset, gid - engine.idOffset];
        };
        assert.deepEqual(await owners('home/vcap/mine'), [2000, 2000]);
        assert.deepEqual(await owners('etc/new'), [33, 34]);
        await writeFile(join(root, 'home/vcap/given'), 'y', { mode: 0o600 });
        await chown(join(root, 'home/vcap/given'), engine.idOffset + 2000, engine.idOffset + 2000);
        assert.equal((await engine.exec(handle, shellProcess('cat /home/vcap/given'))).stdout, 'y');
      }
    });

    test('a folder that containers share has the same owners in each of them, and of the host none', async () => {
      const { engine } = fence;
      const folder = join(fence.directory, 'volume');
      await mkdir(folder, { recursive: true });
      await chmod(folder, 0o700);
      await chown(folder, engine.idOffset + 2000, engine.idOffset + 2000);
      await writeFile(join(folder, 'of-the-host'), 'z', { mode: 0o600 });
      const mounts = [{ source: folder, destination: '/home/vcap/shared', writable: true }];
      for (const handle of ['five', 'six']) {
        await run(handle, { mounts });
        assert.equal((await fence.recordOf(handle))?.id.startsWith('_'), ahead === 1);
      }
      await engine.exec('five', shellProcess('umask 077; echo shared > /home/vcap/shared/file'));
      const { stdout, stderr } = await engine.exec(
        'six',
        shellProcess('cd /home/vcap/shared; cat file; cat of-the-host'),
      );
      assert.equal(stdout, 'shared\n');
      assert.match(stderr, /of-the-host.*denied/);
      const mounted = await engine.exec('six', shellProcess('grep /home/vcap/shared /proc/mounts'));
      assert.match(mounted.stdout, /nosuid,nodev/);
      for (const handle of ['five', 'six']) await engine.destroy(handle);
      assert.equal((await readFile(join(folder, 'file'), 'utf8')).trim(), 'shared');
    });

    test('ids that are given back are used again, also by the next engine', async () => {
      const next = await fence.reopen();
      await next.create(smallSpec('seven'));
      const before = (await readRecord(fence.layout, 'seven'))?.firstId;
      const others = await Promise.all((await next.list()).map(({ handle }) => fence.recordOf(handle)));
      assert.equal(others.filter((record) => record?.firstId === before).length, 1);
      await next.destroy('seven');
    });
  });
