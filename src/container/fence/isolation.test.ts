import assert from 'node:assert/strict';
import { watch } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { programProcess, shellProcess, smallSpec } from '../container.conformance.ts';
import { userLimits } from './kernel-limits.ts';
import { makeAttackRoot } from './testing/attack-root.ts';
import { openTestFence, type TestFence } from './testing/test-fence.ts';

const skip = process.getuid?.() === 0 ? false : 'the real engine needs root';
const VCAP = { uid: 2000, gid: 2000 };
const ROOT = { uid: 0, gid: 0 };

for (const ahead of [0, 1])
  describe(`an attacker in a container, ${ahead} made ahead`, { skip }, () => {
    let fence: TestFence;
    before(async () => {
      fence = await openTestFence();
      const folder = join(fence.directory, 'attack');
      await mkdir(folder);
      await makeAttackRoot(folder);
      await fence.engine.importStack('attack', { directory: folder });
    });
    after(async () => {
      await fence[Symbol.asyncDispose]();
    });
    const make = async (handle: string, limits: object = {}) => {
      const { engine } = fence;
      await engine.keepReady(ahead);
      const spec = smallSpec(handle, { root: { stack: 'attack' } });
      await engine.create({ ...spec, limits: { ...spec.limits, memoryMb: 128, ...limits } });
      await engine.start(handle, programProcess('forever'));
    };
    const inside = async (handle: string, command: string, ids = VCAP) => {
      const { stdout, stderr } = await fence.engine.exec(handle, shellProcess(command, ids), { timeoutMs: 60_000 });
      return `${stdout}${stderr}`;
    };

    for (const ids of [VCAP, ROOT])
      test(`as ${ids.uid === 0 ? 'root' : 'vcap'} is refused everything that reaches beyond the container`, async () => {
        const handle = `attacker-${ids.uid}`;
        await make(handle);
        const lines = (await inside(handle, 'perl /attack.pl 2>&1', ids)).trim().split('\n');
        assert.ok(lines.length > 45, lines.join('\n'));
        assert.deepEqual(
          lines.filter((line) => !/: (refused|none seen|not there|no such)/.test(line)),
          [],
        );
      });

    test('finds neither the processes nor the files, memory and sockets of another one', async () => {
      const { engine } = fence;
      for (const handle of ['victim', 'thief']) await make(handle);
      await inside(
        'victim',
        'echo secret > /home/vcap/secret; echo secret > /dev/shm/secret; echo secret > /tmp/secret',
      );
      const victim = (await fence.recordOf('victim')) ?? assert.fail('no record');
      const paths = [
        await engine.rootPath('victim'),
        fence.layout.folder('victim'),
        fence.layout.own,
        fence.layout.store,
      ];
      for (const ids of [VCAP, ROOT]) {
        for (const path of paths) assert.match(await inside('thief', `ls ${path}`, ids), /No such file/);
        assert.equal(await inside('thief', 'cat /home/vcap/secret /dev/shm/secret /tmp/secret 2>/dev/null', ids), '');
        const kill = await inside('thief', `kill -0 ${victim.init?.pid} ${victim.conmonPid} && echo DONE`, ids);
        assert.doesNotMatch(kill, /DONE/);
        assert.doesNotMatch(await inside('thief', 'cat /proc/*/cmdline', ids), /victim|conmon|runc/);
      }
    });

    test('reaches no service on the loopback of the node, nor its abstract sockets', async () => {
      await make('caller');
      const tcp = createServer((socket) => socket.end('loopback'));
      await new Promise<void>((done) => tcp.listen(0, '127.0.0.1', done));
      const abstract = createServer((socket) => socket.end('abstract'));
      await new Promise<void>((done) => abstract.listen('\0fence-isolation', done));
      try {
        const bound = tcp.address();
        const port = typeof bound === 'object' ? bound?.port : 0;
        assert.match(await inside('caller', `nc -w 2 127.0.0.1 ${port} < /dev/null`), /refused/);
        const connect = `perl -e 'socket(S, 1, 1, 0); print connect(S, pack("S a*", 1, "\\0fence-isolation")) ? "DONE" : "refused: $!"'`;
        assert.match(await inside('caller', connect), /refused: Connection refused/);
      } finally {
        tcp.close();
        abstract.close();
      }
    });

    test('gets a part only of what the kernel counts for all', async () => {
      for (const handle of ['greedy', 'modest']) await make(handle, { fds: 4096 });
      assert.equal(
        await inside('greedy', 'perl /attack.pl inotify-instances'),
        `inotify-instances: ${userLimits.max_inotify_instances}\n`,
      );
      assert.match(
        await inside('modest', 'cat /proc/sys/user/max_inotify_watches'),
        new RegExp(`^${userLimits.max_inotify_watches}$`, 'm'),
      );
      assert.equal(
        await inside('modest', 'perl /attack.pl inotify-instances'),
        `inotify-instances: ${userLimits.max_inotify_instances}\n`,
      );
      watch(fence.directory).close();
    });

    test('that forks without end stops at its limit, and its neighbour goes on', async () => {
      const { engine } = fence;
      await make('bomb', { pids: 40 });
      await make('neighbour');
      const bomb = engine
        .exec('bomb', shellProcess('f() { f | f & f; }; f'), { timeoutMs: 3000 })
        .catch((error) => error);
      for (let i = 0; i < 5; i++) assert.equal(await inside('neighbour', 'echo $((6 * 7))'), '42\n');
      assert.ok((await engine.stats('bomb')).pids <= 40);
      await bomb;
      await engine.destroy('bomb');
    });

    test('that makes files without end stops at its disk limit', async () => {
      const { engine } = fence;
      await make('maker', { diskMb: 8 });
      const many = `perl -e 'my $n = 0; my $name = "x" x 200; for (1 .. 400000) { open(my $f, ">", "/home/vcap/$name$_") or last; $n++ } print "$n $!"'`;
      const [made = '', fault = ''] = (await inside('maker', many)).split(/ (.*)/s);
      assert.match(fault, /quota exceeded|no space/i);
      assert.ok(Number(made) > 100 && Number(made) < 100_000, `${made} files`);
      await make('maker2', { diskMb: 8 });
      assert.equal(await inside('maker2', 'echo fine > /home/vcap/file && cat /home/vcap/file'), 'fine\n');
      await engine.destroy('maker');
    });

    test('that fills the shared memory fills its own', async () => {
      await make('filler', { memoryMb: 64 });
      await make('bystander', { memoryMb: 64 });
      const before = Number(/^Shmem:\s+(\d+)/m.exec(await readFile('/proc/meminfo', 'utf8'))?.[1]);
      await fence.engine
        .exec('filler', shellProcess('dd if=/dev/zero of=/dev/shm/big bs=1M count=500; true'), { timeoutMs: 20_000 })
        .catch((error) => error);
      const after = Number(/^Shmem:\s+(\d+)/m.exec(await readFile('/proc/meminfo', 'utf8'))?.[1]);
      assert.ok(after - before < 80 * 1024, `${after - before} KB more`);
      assert.equal(
        await inside('bystander', 'dd if=/dev/zero of=/dev/shm/mine bs=1M count=8 2>/dev/null; ls /dev/shm'),
        'mine\n',
      );
    });

    test('leaves no trace in what the next container gets', async () => {
      const { engine } = fence;
      await make('first');
      await inside('first', 'echo mine > /tmp/left; echo mine > /home/vcap/left; echo mine > /dev/shm/left');
      await inside('first', 'echo evil > /etc/passwd; echo evil > /bin/sh-evil', ROOT);
      const address = (await engine.info('first')).address;
      await engine.destroy('first');
      await make('next');
      assert.notEqual((await engine.info('next')).address, address);
      assert.match(
        await inside('next', 'ls /tmp /home/vcap /dev/shm /bin/sh-evil; grep vcap /etc/passwd'),
        /vcap:x:2000/,
      );
      assert.doesNotMatch(await inside('next', 'ls /tmp /home/vcap /dev/shm; ls /bin'), /left|evil/);
    });
  });
