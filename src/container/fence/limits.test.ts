import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { systemClock } from '../../platform/clock.ts';
import { deadline, programProcess, readOutput, shellProcess, smallSpec } from '../container.conformance.ts';
import { openTestFence, type TestFence, tracesOf } from './testing/test-fence.ts';

const skip = process.getuid?.() === 0 ? false : 'the real engine needs root';
const limits = (more: object) => ({ memoryMb: 64, diskMb: 64, pids: 64, fds: 256, ...more });

for (const ahead of [0, 1])
  describe(`limits of a container, ${ahead} made ahead`, { skip }, () => {
    let fence: TestFence;
    before(async () => {
      fence = await openTestFence();
    });
    after(async () => {
      await fence[Symbol.asyncDispose]();
    });
    const textOf = async (handle: string) =>
      (await readOutput(fence.engine, handle)).map((line) => line.text).join('\n');
    const run = async (handle: string, command: string, more: object = {}) => {
      await fence.engine.keepReady(ahead);
      await fence.engine.create(smallSpec(handle, more));
      await fence.engine.start(handle, shellProcess(command));
      const exit = await fence.engine.wait(handle, deadline());
      return { exit, text: await textOf(handle) };
    };

    test('memory: what eats it all is killed, and that is told', async () => {
      const { exit } = await run('eater', 'exec tail /dev/zero', { limits: limits({ memoryMb: 32 }) });
      assert.deepEqual({ code: exit.code, outOfMemory: exit.outOfMemory }, { code: 137, outOfMemory: true });
      assert.equal((await fence.engine.info('eater')).exit?.outOfMemory, true);
      assert.equal((await fence.engine.stats('eater')).memoryKills, 1);
    });

    test('processes: what forks without end stops at the limit and can be destroyed', async () => {
      const { engine } = fence;
      await engine.keepReady(ahead);
      await engine.create(smallSpec('bomb', { limits: limits({ pids: 40 }) }));
      await engine.start('bomb', shellProcess('echo go; f() { f | f & f; }; f'));
      for await (const batch of engine.output('bomb', { signal: deadline() })) {
        if (batch.some((line) => line.text === 'go')) break;
      }
      let { pids, refusedForks } = await engine.stats('bomb');
      for (const end = deadline(); refusedForks === 0 && !end.aborted; ) {
        await systemClock.sleep(50);
        ({ pids, refusedForks } = await engine.stats('bomb'));
      }
      assert.ok(pids <= 40 && refusedForks > 0, `${pids} processes, ${refusedForks} refused`);
      await engine.destroy('bomb');
      assert.equal((await engine.list()).filter(({ handle }) => handle === 'bomb').length, 0);
      assert.deepEqual(
        (await tracesOf(fence)).filter((trace) => trace.includes('bomb')),
        [],
      );
    });

    test('disk: writing more than the limit fails inside and harms nobody else', async () => {
      const { engine } = fence;
      await engine.keepReady(ahead);
      await engine.create(smallSpec('filler', { limits: limits({ diskMb: 20 }) }));
      assert.ok((await engine.stats('filler')).diskBytes < 1e6);
      await engine.start('filler', shellProcess('dd if=/dev/zero of=/home/vcap/big bs=1M count=100'));
      assert.notEqual((await engine.wait('filler', deadline())).code, 0);
      const { diskBytes } = await engine.stats('filler');
      assert.ok(diskBytes > 15e6 && diskBytes <= 20 * 1024 * 1024, `${diskBytes} bytes`);
      assert.match(await textOf('filler'), /quota exceeded/i);
      assert.equal((await run('neighbour', 'echo fine > /home/vcap/file && cat /home/vcap/file')).text, 'fine');
    });

    test('files: as many open at once as the limit says', async () => {
      assert.equal((await run('files', 'ulimit -n', { limits: limits({ fds: 123 }) })).text, '123');
    });

    test('rights: nobody is root on the host, nothing can be gained, the kernel can not be changed', async () => {
      const { text } = await run('rights', 'grep -E "^(CapBnd|CapEff|NoNewPrivs|Seccomp):" /proc/self/status; id -u');
      assert.match(text, /CapEff:\s+0{16}\n/);
      assert.match(text, /CapBnd:\s+0{16}\n/);
      assert.match(text, /NoNewPrivs:\s+1/);
      assert.match(text, /Seccomp:\s+2/);
      assert.match(text, /^2000$/m);
      const attempts = 'mount -t tmpfs x /tmp || echo no mount; echo 1 > /proc/sys/kernel/panic || echo no sysctl';
      const refused = await run(
        'attempts',
        `${attempts}; cat /proc/kcore | head -c 1 | wc -c; ls /sys/firmware | wc -l`,
      );
      assert.match(refused.text, /no mount/);
      assert.match(refused.text, /no sysctl/);
      assert.equal(refused.text.match(/^0$/gm)?.length, 2);
    });

    test('a process sees no other containers and no processes of the host', async () => {
      const { engine } = fence;
      await engine.create(smallSpec('other'));
      await engine.start('other', programProcess('forever'));
      const { text } = await run('looker', 'ps -o pid,args; hostname; cat /etc/hosts');
      assert.doesNotMatch(text, /sleep 1000|conmon|node/);
      assert.match(text, /^looker$/m);
      assert.match(text, /10\.\d+\.\d+\.\d+ looker/);
    });

    test('100,000 lines arrive whole and in order', async () => {
      const { engine } = fence;
      await engine.create(smallSpec('talker'));
      await engine.start('talker', shellProcess('awk \'BEGIN { for (i = 0; i < 100000; i++) print "line " i }\''));
      let next = 0;
      for await (const batch of engine.output('talker', { signal: deadline(60_000) })) {
        for (const line of batch) {
          if (line.text !== `line ${next}`) assert.fail(`"${line.text}" where line ${next} was due`);
          next += 1;
        }
      }
      assert.equal(next, 100_000);
    });

    test('an exec that takes too long is killed inside too', async () => {
      const { engine } = fence;
      await engine.create(smallSpec('slow'));
      await engine.start('slow', programProcess('forever'));
      await assert.rejects(engine.exec('slow', shellProcess('sleep 777'), { timeoutMs: 300 }), /timed out/);
      const { stdout } = await engine.exec('slow', shellProcess('ps -o args'));
      assert.doesNotMatch(stdout, /^sleep 777/m);
    });
  });

test('disk: the store keeps ahead of a container that writes as fast as the machine can', { skip }, async () => {
  await using fence = await openTestFence({ storeMb: 5000 });
  const more = { limits: limits({ diskMb: 2500, memoryMb: 1500 }) };
  await fence.engine.create(smallSpec('fast', more));
  await fence.engine.start('fast', shellProcess('dd if=/dev/zero of=/home/vcap/big bs=4M count=500 2>&1'));
  const { code } = await fence.engine.wait('fast', deadline());
  assert.equal(code, 0, (await readOutput(fence.engine, 'fast')).map((line) => line.text).join('\n'));
});
