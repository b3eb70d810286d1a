import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import {
  type Finding,
  judgeBusServer,
  judgeCertificates,
  judgeClock,
  judgeDisks,
  judgeFeatures,
  judgeMemory,
  judgeNames,
  judgePorts,
  judgeProcesses,
  judgeSecrets,
  judgeVersions,
} from './inspection.ts';
import { type Listener, portsOf } from './port-table.ts';

const states = (findings: readonly Finding[]) => findings.map(({ state }) => state).join();
const DAY = 86_400_000;

test('a clock is held against the Core’s', () => {
  const look = (skewMs: number | undefined, hasTimeService = true) => states(judgeClock({ skewMs, hasTimeService }));
  assert.equal(look(900), 'ok');
  assert.equal(look(-5000), 'warning');
  assert.equal(look(3_600_000), 'wrong');
  assert.equal(look(undefined), 'ok');
  assert.equal(look(undefined, false), 'warning');
  assert.match(judgeClock({ skewMs: -3_600_000, hasTimeService: true })[0]?.what ?? '', /3600 s behind the Core's/);
});

test('room on disks and in memory', () => {
  const disk = { path: '/', what: 'state folder', freeMb: 50_000, totalMb: 100_000, freeInodes: 1 };
  assert.equal(states(judgeDisks([disk, { ...disk, freeMb: 1500 }, { ...disk, freeMb: 100 }])), 'ok,warning,wrong');
  assert.equal(states(judgeDisks([{ ...disk, freeInodes: 0.005 }])), 'wrong');
  assert.equal(states(judgeMemory({ totalMb: 4000, availableMb: 1000 })), 'ok');
  assert.equal(states(judgeMemory({ totalMb: 4000, availableMb: 50 })), 'wrong');
});

test('a port that another program has is named with it; one of our own beyond the table too', () => {
  const uses = portsOf({ roles: ['base', 'router'], isMicro: true }, decode(ClusterConfig, {}, 'config'));
  const one: Listener = { protocol: 'tcp', address: '0.0.0.0', port: 80, pid: 7, program: 'haproxy' };
  const judge = (listener: Listener, isOwn: boolean) =>
    judgePorts([listener], { uses, nodeAddress: '10.0.0.1', isOwn: () => isOwn });
  assert.equal(states(judge(one, true)), 'ok');
  const held = judge({ ...one, program: 'apache2' }, false);
  assert.match(held[0]?.what ?? '', /tcp port 80 at 0\.0\.0\.0 is taken by apache2 \(pid 7\)/);
  assert.equal(states(judge({ ...one, port: 9999 }, true)), 'wrong');
  assert.equal(states(judge({ ...one, port: 9999, program: 'sshd' }, false)), 'ok');
});

test('names must lead to the cluster', () => {
  const judge = (addresses: string[] | undefined) => judgeNames([{ name: 'api.a.b', addresses }], 'a.b', ['10.0.0.1']);
  assert.equal(states(judge(['10.0.0.1'])), 'ok');
  assert.match(judge(undefined)[0]?.next ?? '', /let \*\.a\.b and a\.b lead to 10\.0\.0\.1/);
  assert.match(judge(['9.9.9.9'])[0]?.what ?? '', /api\.a\.b is 9\.9\.9\.9/);
});

test('certificates that ended, end soon, or do not count yet', () => {
  const nowMs = 1_000 * DAY;
  const one = { what: 'bus', path: '/b.pem', fromMs: 0, toMs: nowMs + 100 * DAY };
  assert.equal(
    states(
      judgeCertificates(
        [
          one,
          { ...one, toMs: nowMs + 5 * DAY },
          { ...one, toMs: nowMs - 1 },
          { ...one, fromMs: nowMs + DAY },
          { ...one, fault: 'is missing' },
        ],
        nowMs,
      ),
    ),
    'ok,warning,wrong,wrong,wrong',
  );
});

test('versions of nodes and of the bus server', () => {
  assert.equal(states(judgeVersions('1.2.3', [])), 'ok');
  assert.equal(states(judgeVersions('1.2.3', [{ address: 'a', version: '1.2.4' }])), 'warning');
  assert.equal(states(judgeVersions('1.2.3', [{ address: 'a', version: '1.3.0' }])), 'wrong');
  assert.equal(states(judgeBusServer('nats-server: v2.9.10')), 'ok');
  assert.equal(states(judgeBusServer('nats-server: v2.1.9')), 'wrong');
  assert.equal(states(judgeBusServer('nats-server: v2.11.0')), 'ok');
  assert.equal(states(judgeBusServer('what?')), 'warning');
});

test('everything that is not right says what to do', () => {
  fc.assert(
    fc.property(fc.nat(200_000), fc.nat(), fc.integer(), fc.boolean(), (freeMb, availableMb, skewMs, has) => {
      const findings = [
        ...judgeDisks([{ path: '/', what: 'x', freeMb, totalMb: 200_000, freeInodes: 0.5 }]),
        ...judgeMemory({ totalMb: 2000, availableMb }),
        ...judgeClock({ skewMs, hasTimeService: has }),
        ...judgeFeatures([{ what: 'btrfs', has, next: 'use another kernel' }]),
        ...judgeSecrets(has ? [] : ['/secrets.json']),
        ...judgeProcesses([{ name: 'dea', ready: has, state: 'FATAL', description: '' }]),
      ];
      for (const { state, next = '' } of findings) assert.equal(state === 'ok', next === '');
    }),
  );
});
