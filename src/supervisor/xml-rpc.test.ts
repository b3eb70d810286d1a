import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { test } from 'node:test';
import fc from 'fast-check';
import { callRpc, decodeResponse, encodeCall, RpcFault } from './xml-rpc.ts';

const response = (call: string) =>
  call.replace(/<methodName>.*?<\/methodName>/, '').replaceAll('methodCall', 'methodResponse');

test('whatever is encoded is decoded to the same', () => {
  const text = fc.string({ unit: 'binary-ascii' }).filter((s) => !/^\s+$/.test(s));
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 3 },
      text,
      fc.integer(),
      fc.boolean(),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(fc.stringMatching(/^[a-z<&>]{1,8}$/), tie('value'), { maxKeys: 3, noNullPrototype: true }),
    ),
  }));
  fc.assert(
    fc.property(value, (one) => {
      assert.deepEqual(decodeResponse('x', response(encodeCall('x', [one as string]))), one);
    }),
  );
});

test('a fault is thrown with its code', () => {
  const fault = `<?xml version='1.0'?>\n<methodResponse>\n<fault>\n<value><struct>
    <member><name>faultCode</name><value><int>70</int></value></member>
    <member><name>faultString</name><value><string>NOT_RUNNING: a &amp; b</string></value></member>
  </struct></value>\n</fault>\n</methodResponse>`;
  assert.throws(
    () => decodeResponse('stop', fault),
    (error) => error instanceof RpcFault && error.code === 70 && error.message.includes('a & b'),
  );
});

test('what is not XML-RPC is said', () => {
  assert.throws(() => decodeResponse('x', '<html>no</html>'), /not an XML-RPC response/);
  assert.throws(() => decodeResponse('x', '<methodResponse><params><param><value><array>'), /not an XML-RPC response/);
});

test('a server that does not answer is named, with how long it had', async () => {
  const server = createServer(() => undefined);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  try {
    await assert.rejects(callRpc({ port, user: 'u', password: 'p' }, 'a.b', [], 50), {
      message: `a.b: the server on port ${port} did not answer within 0.05 s`,
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
