import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { subjects } from '../contract/subjects.ts';
import type { Bus } from './bus.ts';

/** Two clients of one bus; disposed after each test. */
export type BusPair = { readonly a: Bus; readonly b: Bus } & AsyncDisposable;

const register = (port: number) => ({ host: '10.0.0.1', port, uris: ['x.example'], app: 'a' });

/** What every Bus must do. */
export function busConformance(name: string, open: () => Promise<BusPair>): void {
  describe(`bus conformance: ${name}`, () => {
    test('delivers to every subscriber, in order', async () => {
      await using pair = await open();
      const heard: number[][] = [[], []];
      const all = Promise.withResolvers<void>();
      for (const list of heard) {
        pair.b.subscribe(subjects.routerRegister, [], ({ port }) => {
          list.push(port);
          if (heard.every((l) => l.length === 100)) all.resolve();
        });
      }
      await pair.b.flush();
      for (let port = 0; port < 100; port++) pair.a.publish(subjects.routerRegister, [], register(port));
      await all.promise;
      const expected = Array.from({ length: 100 }, (_, i) => i);
      assert.deepEqual(heard, [expected, expected]);
    });

    test('gives each message to one member of a queue group', async () => {
      await using pair = await open();
      let count = 0;
      const seen = Promise.withResolvers<void>();
      for (const bus of [pair.a, pair.b]) {
        bus.subscribe(subjects.dropletUpdated, [], () => void (count += 1), { queue: 'cc' });
        await bus.flush();
      }
      pair.b.subscribe(subjects.dropletUpdated, [], ({ droplet }) => droplet === 'last' && seen.resolve());
      await pair.b.flush();
      for (let i = 0; i < 20; i++) pair.a.publish(subjects.dropletUpdated, [], { droplet: `d${i}` });
      pair.a.publish(subjects.dropletUpdated, [], { droplet: 'last' });
      await seen.promise;
      await pair.a.flush();
      await pair.b.flush();
      assert.equal(count, 21);
    });

    test('gathers several replies and stops at the expected number', async () => {
      await using pair = await open();
      const reply = { id: 'r', hosts: [], minimumRegisterIntervalInSeconds: 20, pruneThresholdInSeconds: 120 };
      pair.b.subscribe(subjects.routerGreet, [], (_empty, message) => {
        assert.equal(message.wantsReply, true);
        message.respond(reply);
        message.respond({ ...reply, id: 's' });
      });
      await pair.b.flush();
      const two = await pair.a.request(subjects.routerGreet, [], {}, { timeoutMs: 5000, expected: 2 });
      assert.deepEqual(
        two.map(({ id }) => id),
        ['r', 's'],
      );
    });

    test('gathers replies until it has those that matter, whoever else answers', async () => {
      await using pair = await open();
      const reply = { id: '', hosts: [], minimumRegisterIntervalInSeconds: 20, pruneThresholdInSeconds: 120 };
      pair.b.subscribe(subjects.routerGreet, [], (_empty, { respond }) => {
        for (const id of ['stranger', 'one', 'stranger', 'two', 'late']) respond({ ...reply, id });
      });
      await pair.b.flush();
      const found = await pair.a.request(
        subjects.routerGreet,
        [],
        {},
        {
          timeoutMs: 60_000,
          expected: (replies) => ['one', 'two'].every((id) => replies.some((one) => one.id === id)),
        },
      );
      assert.deepEqual(
        found.map(({ id }) => id),
        ['stranger', 'one', 'stranger', 'two'],
      );
    });

    test('a request that nobody answers gives nothing, in time', async () => {
      await using pair = await open();
      assert.deepEqual(await pair.a.request(subjects.routerGreet, [], {}, { timeoutMs: 50 }), []);
    });

    test('a cancelled request ends with what it has', async () => {
      await using pair = await open();
      pair.b.subscribe(subjects.routerGreet, [], () => {});
      await pair.b.flush();
      const stop = new AbortController();
      const pending = pair.a.request(subjects.routerGreet, [], {}, { timeoutMs: 60_000, signal: stop.signal });
      stop.abort();
      assert.deepEqual(await pending, []);
    });

    test('drops what does not decode, converts scalars, and goes on', async () => {
      await using pair = await open();
      const heard = Promise.withResolvers<unknown>();
      pair.b.subscribe(subjects.dropletUpdated, [], (payload) => heard.resolve(payload));
      await pair.b.flush();
      const loose = subjects.dropletUpdated as unknown as typeof subjects.componentDiscover;
      pair.a.publish(loose, [], { nothing: 1 } as object);
      pair.a.publish(loose, [], { droplet: 42, extra: true } as object);
      assert.deepEqual(await heard.promise, { droplet: '42', extra: true });
    });

    test('a wildcard hears every subject of its kind, by its full name', async () => {
      await using pair = await open();
      const heard = Promise.withResolvers<string>();
      pair.b.subscribe(subjects.appLog, ['*'], (_log, { subject }) => heard.resolve(subject));
      await pair.b.flush();
      pair.a.publish(subjects.appLog, ['guid-1'], { app: 'guid-1', tags: {}, lines: [] });
      assert.equal(await heard.promise, subjects.appLog.name('guid-1'));
    });

    test('a disposed subscription hears nothing more', async () => {
      await using pair = await open();
      let count = 0;
      const subscription = pair.b.subscribe(subjects.dropletUpdated, [], () => void (count += 1));
      await pair.b.flush();
      subscription[Symbol.dispose]();
      await pair.b.flush();
      pair.a.publish(subjects.dropletUpdated, [], { droplet: 'x' });
      await pair.a.flush();
      await pair.b.flush();
      assert.equal(count, 0);
    });

    test('a serial subscription runs one handler at a time, and a throw does not end it', async () => {
      await using pair = await open();
      const trail: string[] = [];
      const done = Promise.withResolvers<void>();
      const gate = Promise.withResolvers<void>();
      pair.b.subscribe(
        subjects.dropletUpdated,
        [],
        async ({ droplet }) => {
          trail.push(`start ${droplet}`);
          if (droplet === 'one') await gate.promise;
          trail.push(`end ${droplet}`);
          if (droplet === 'two') done.resolve();
          else throw new Error('on purpose');
        },
        { serial: true },
      );
      await pair.b.flush();
      pair.a.publish(subjects.dropletUpdated, [], { droplet: 'one' });
      pair.a.publish(subjects.dropletUpdated, [], { droplet: 'two' });
      await pair.a.flush();
      await pair.b.flush();
      gate.resolve();
      await done.promise;
      assert.deepEqual(trail, ['start one', 'end one', 'start two', 'end two']);
    });
  });
}
