import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expiredBuilds, sightings, strandedBuilds } from './build-expiry.ts';
import { expiredDroplets } from './droplet-retention.ts';
import { chooseStager, type StagerOffer } from './stager-choice.ts';

const now = 1_000_000;
const offer = (id: string, change: Partial<StagerOffer> = {}): StagerOffer => ({
  id,
  stacks: ['stackato'],
  memoryMb: 2048,
  tasks: [],
  heardAtMs: now,
  ...change,
});
const choose = (offers: StagerOffer[], stack = 'cflinuxfs4', except: string[] = [], lot = 0) => {
  const context = { nowMs: now, maxAgeMs: 10_000, pick: (n: number) => lot % n };
  const choice = chooseStager({ memoryMb: 1024, stack, except: new Set(except) }, offers, context);
  return 'stager' in choice ? choice.stager.id : choice.missing;
};

test('a stager is drawn from the five roomiest', () => {
  const offers = Array.from({ length: 8 }, (_, i) => offer(`s${i}`, { memoryMb: 1024 + i }));
  const drawn = new Set(Array.from({ length: 20 }, (_, lot) => choose(offers, 'stackato', [], lot)));
  assert.deepEqual([...drawn].sort(), ['s3', 's4', 's5', 's6', 's7']);
});

test('what is missing is said', () => {
  assert.match(choose([]), /none has announced itself; start one with/);
  assert.match(choose([offer('a', { heardAtMs: now - 10_001 })]), /none has announced itself/);
  assert.match(choose([offer('a')], 'windows'), /none offers the stack 'windows'/);
  assert.match(choose([offer('a', { memoryMb: 100 })]), /needs 1024 MB and the most any stager has free is 100 MB/);
  assert.match(choose([offer('a')], 'stackato', ['a']), /none accepted the build/);
});

test('droplets beyond the newest go, unless they are in use', () => {
  const droplets = [1, 2, 3, 4].map((createdAtMs) => ({ guid: `d${createdAtMs}`, createdAtMs }));
  assert.deepEqual(expiredDroplets(droplets, { kept: 2, inUse: new Set(['d1']) }), ['d2']);
});

test('a build is given up when its stager stops naming it, or its time is over', () => {
  const build = { guid: 'b', stager: 's', sinceMs: now - 60_000, timeoutS: 900 };
  const at = (nowMs: number, seenMs?: number, listeningSinceMs = 0) =>
    expiredBuilds([build], {
      nowMs,
      listeningSinceMs,
      lastSeenMs: new Map(seenMs === undefined ? [] : [['b', seenMs]]),
    }).map(({ kind }) => kind);
  assert.deepEqual(at(now, now - 29_000), []);
  assert.deepEqual(at(now, now - 31_000), ['StagingError']);
  assert.deepEqual(at(now), ['StagingError']);
  assert.deepEqual(at(now, undefined, now - 1000), [], 'a controller that has just started listens first');
  assert.deepEqual(at(now + 960_000, now + 959_000), ['StagingTimeExpired']);
});

test('a build that no stager took is offered again once stagers had time to name it', () => {
  const build = { guid: 'b', stager: undefined, sinceMs: now - 60_000, timeoutS: 900 };
  const at = (options: { listeningSinceMs?: number; seenMs?: number; stager?: string }) =>
    strandedBuilds([{ ...build, stager: options.stager }], {
      nowMs: now,
      listeningSinceMs: options.listeningSinceMs ?? 0,
      lastSeenMs: new Map(options.seenMs === undefined ? [] : [['b', options.seenMs]]),
    });
  assert.deepEqual(at({}), ['b']);
  assert.deepEqual(at({ stager: 's' }), []);
  assert.deepEqual(at({ listeningSinceMs: now - 5000 }), [], 'a controller that has just started listens first');
  assert.deepEqual(at({ seenMs: now - 5000 }), [], 'a stager has it after all');
});

test('sightings remember the latest word about each build', () => {
  const seen = sightings(
    [offer('a', { tasks: ['b'], heardAtMs: 5 })],
    new Map([
      ['b', 9],
      ['c', 1],
    ]),
  );
  assert.deepEqual(
    [...seen],
    [
      ['b', 9],
      ['c', 1],
    ],
  );
});
