import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Program, Supervisor } from './supervisor.ts';
import { StartFailed } from './supervisor.ts';

const sleeper = (name: string, seconds = '600'): Program => ({
  name,
  command: ['sleep', seconds],
  environment: { GREETING: 'a b%c' },
  priority: 10,
  stopWaitS: 5,
});

/** What every Supervisor must do. */
export function supervisorConformance(
  name: string,
  open: () => Promise<{ supervisor: Supervisor } & AsyncDisposable>,
): void {
  describe(`supervisor conformance: ${name}`, () => {
    const running = async (programs: readonly Program[]) => {
      const opened = await open();
      await opened.supervisor.configure(programs);
      await opened.supervisor.ensureRunning();
      return opened;
    };
    const stateOf = async (supervisor: Supervisor, program: string) =>
      (await supervisor.list()).find((process) => process.name === program);

    test('says whether it runs, and starting it twice is one start', async () => {
      await using opened = await open();
      const { supervisor } = opened;
      assert.equal(await supervisor.isRunning(), false);
      await supervisor.configure([sleeper('one')]);
      await supervisor.ensureRunning();
      await supervisor.ensureRunning();
      assert.equal(await supervisor.isRunning(), true);
      assert.equal((await stateOf(supervisor, 'one'))?.state, 'STOPPED');
      await supervisor.shutdown();
      assert.equal(await supervisor.isRunning(), false);
    });

    test('starts and stops a program; doing it again changes nothing', async () => {
      await using opened = await running([sleeper('one')]);
      const { supervisor } = opened;
      await supervisor.start('one');
      const first = await stateOf(supervisor, 'one');
      assert.equal(first?.state, 'RUNNING');
      assert.ok((first?.pid ?? 0) > 0);
      await supervisor.start('one');
      assert.equal((await stateOf(supervisor, 'one'))?.pid, first?.pid);
      await supervisor.stop('one');
      await supervisor.stop('one');
      assert.equal((await stateOf(supervisor, 'one'))?.state, 'STOPPED');
    });

    test('tells of a program that ends at once', async () => {
      await using opened = await running([{ ...sleeper('one'), command: ['false'] }]);
      await assert.rejects(opened.supervisor.start('one'), StartFailed);
      await opened.supervisor.stop('one');
      assert.equal((await stateOf(opened.supervisor, 'one'))?.state, 'STOPPED');
    });

    test('takes a new set of programs: adds, forgets, restarts what changed and leaves the rest alone', async () => {
      await using opened = await running([sleeper('same'), sleeper('changed'), sleeper('gone')]);
      const { supervisor } = opened;
      for (const program of ['same', 'changed', 'gone']) await supervisor.start(program);
      const before = new Map((await supervisor.list()).map((process) => [process.name, process.pid]));
      await supervisor.configure([sleeper('same'), sleeper('changed', '700'), sleeper('added')]);
      const after = new Map((await supervisor.list()).map((process) => [process.name, process]));
      assert.deepEqual([...after.keys()].sort(), ['added', 'changed', 'same']);
      assert.equal(after.get('same')?.pid, before.get('same'));
      assert.equal(after.get('changed')?.state, 'RUNNING');
      assert.notEqual(after.get('changed')?.pid, before.get('changed'));
      assert.equal(after.get('added')?.state, 'STOPPED');
    });

    test('starts a program again that a signal ended', async () => {
      await using opened = await running([sleeper('one')]);
      const { supervisor } = opened;
      await supervisor.start('one');
      const before = (await stateOf(supervisor, 'one'))?.pid;
      await supervisor.signal('one', 'KILL');
      const endMs = Date.now() + 10_000;
      for (;;) {
        const now = await stateOf(supervisor, 'one');
        if (now?.state === 'RUNNING' && now.pid !== before) break;
        assert.ok(Date.now() < endMs, `still ${now?.state}`);
        await delay(50);
      }
    });
  });
}
