import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  describeLiveFailure,
  describeStartFailure,
  type HealthQuestion,
  judgeStatus,
  parseListening,
} from './health-verdict.ts';

const port: HealthQuestion = { type: 'port', endpoint: '/', port: 8080, budgetS: 60, invocationS: 1 };
const http: HealthQuestion = { ...port, type: 'http', endpoint: '/up' };

test('a start failure says what was seen and what to do', () => {
  const at = (...ports: number[]) => ports.map((p) => ({ address: '0.0.0.0', port: p }));
  const lead = 'failed to accept connections on port 8080 within 60 s; the process listens on';
  const refused = { kind: 'refused' } as const;
  assert.equal(describeStartFailure(port, refused, at(3000)), `${lead} 3000; make it listen on $PORT`);
  assert.equal(describeStartFailure(http, refused, at(9229, 3000)), `${lead} 3000, 9229; make it listen on $PORT`);
  assert.equal(
    describeStartFailure(port, refused, []),
    `${lead} no port; make it listen on $PORT, or set the health check type to process`,
  );
  assert.equal(
    describeStartFailure(port, refused, [{ address: '127.0.0.1', port: 8080 }]),
    `${lead} 127.0.0.1:8080 only, make it listen on 0.0.0.0`,
  );
  assert.equal(
    describeStartFailure(http, { kind: 'status', status: 500 }, at(8080)),
    'health check: GET /up answered 500, 200 is expected, for 60 s',
  );
});

test('a later failure says what was seen', () => {
  assert.equal(describeLiveFailure(port, { kind: 'timeout' }), 'health check: port 8080 did not answer within 1 s');
  assert.equal(describeLiveFailure(http, { kind: 'timeout' }), 'health check: GET /up gave no answer within 1 s');
  assert.equal(
    describeLiveFailure(http, { kind: 'broken', detail: 'ECONNRESET' }),
    'health check: GET /up gave no valid answer (ECONNRESET)',
  );
});

test('only 200 is well', () => {
  assert.deepEqual(judgeStatus(200), { kind: 'well' });
  for (const status of [201, 204, 301, 404, 500]) assert.equal(judgeStatus(status).kind, 'status');
});

test('listening sockets are read from the kernel table', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  2000        0 1 1 0 100 0 0 10 0
   1: 00000000:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  2000        0 2 1 0 100 0 0 10 0
   2: 0200FA0A:0BB8 0100FA0A:C001 01 00000000:00000000 00:00000000 00000000  2000        0 3 1 0 100 0 0 10 0
   0: 00000000000000000000000000000000:2382 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
   1: 00000000000000000000000001000000:2383 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000
   2: 0000000000000000FFFF00000100007F:2384 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000`;
  assert.deepEqual(parseListening(table), [
    { address: '127.0.0.1', port: 8080 },
    { address: '0.0.0.0', port: 3000 },
    { address: '::', port: 9090 },
    { address: '::1', port: 9091 },
    { address: '127.0.0.1', port: 9092 },
  ]);
});
