import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { AccessSink } from './access-sink.ts';

describe('access sink', () => {
  test('knows when lines are missing, and cuts off what is not a log', async () => {
    const sink = new AccessSink();
    const port = await sink.listen(0);
    const hosts: string[] = [];
    sink.onRecord = (record) => hosts.push(record.host);
    const line = (sequence: number) =>
      [sequence, 1_700_000_000_000, 5, 200, 1, 2, 3, 0, 0, 'i1', 80, '1.2.3.4:5', 'edge', 'id']
        .concat(['be_00001|app|/', '-', 'GET / HTTP/1.1', `{h${sequence}||}`])
        .join('\t');
    const framed = (text: string) => `${Buffer.byteLength(text)} ${text}`;
    const gone = Promise.withResolvers<void>();
    sink.onGone = () => gone.resolve();
    const socket = connect(port, '127.0.0.1');
    const whole = [1, 2, 5].map((n) => framed(line(n))).join('');
    socket.write(whole.slice(0, 40));
    socket.end(whole.slice(40));
    await gone.promise;
    assert.deepEqual(hosts, ['h1', 'h2', 'h5']);
    assert.equal(sink.lost(), 2);
    const cut = Promise.withResolvers<void>();
    sink.onGone = () => cut.resolve();
    connect(port, '127.0.0.1').write('GET / HTTP/1.1\r\n\r\n');
    await cut.promise;
    await sink.close();
  });
});
