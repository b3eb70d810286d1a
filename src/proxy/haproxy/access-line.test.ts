import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseAccessLine } from './access-line.ts';

function parse(request: string, captured: string, route = 'be_00001|app|/') {
  const front = [1, 1_700_000_000_000, 5, 200, 1, 2, 3, 0, 0, 'i1', 80, '1.2.3.4:5', 'edge~', 'id'];
  return parseAccessLine([...front, route, '-', request, captured].join('\t'))?.record;
}

describe('access line', () => {
  test('splits the request line, whole URLs and cut ones too', () => {
    const of = (line: string) => {
      const record = parse(line, '{a.test||}');
      return [record?.method, record?.uri, record?.protocol];
    };
    assert.deepEqual(of('GET /x?q=#22 HTTP/1.1'), ['GET', '/x?q="', 'HTTP/1.1']);
    assert.deepEqual(of('GET https://a.test/x HTTP/2.0'), ['GET', '/x', 'HTTP/2.0']);
    assert.deepEqual(of('GET /very-lo'), ['GET', '/very-lo', '']);
    assert.deepEqual(of('<BADREQ>'), ['', '', '']);
  });

  test('knows when a request began and why it was refused', () => {
    assert.equal(parse('GET / HTTP/1.1', '{a.test||}')?.atMs, 1_700_000_000_005);
    const refused = parse('GET / HTTP/1.1', '{a.test||}', '|unknown_route');
    assert.deepEqual([refused?.app, refused?.routerError], ['', 'unknown_route']);
    const failed = parse('GET / HTTP/1.1', '{a.test||}', 'be_00001|app|/x|endpoint_failure');
    assert.deepEqual([failed?.app, failed?.routerError], ['app', 'endpoint_failure']);
  });

  test('undoes the escapes of captured headers and lowers the host', () => {
    const record = parse('GET / HTTP/1.1', '{A.Test:8080|tab#09 #7Cpipe #23hash #E2#82#AC|http://b.test/}');
    assert.equal(record?.host, 'a.test');
    assert.equal(record?.userAgent, 'tab\t |pipe #hash €');
    assert.equal(record?.referer, 'http://b.test/');
    assert.deepEqual([record?.app, record?.forwardedProto, record?.routerError], ['app', 'https', '']);
  });
});
