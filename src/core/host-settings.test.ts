import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isZoneName, parseProxy, remapHosts, withProxy } from './host-settings.ts';

test('only lines of the very address are remapped', () => {
  const text = '127.0.0.1 localhost\n10.0.0.5\tcore core.example\n10.0.0.55 other\n# 10.0.0.5 was here\n';
  assert.deepEqual(remapHosts(text, '10.0.0.5', '10.1.0.5'), {
    text: '127.0.0.1 localhost\n10.1.0.5\tcore core.example\n10.0.0.55 other\n# 10.0.0.5 was here\n',
    lines: 1,
  });
});

test('a proxy has a host and a port', () => {
  assert.equal(parseProxy('proxy.example:3128'), 'http://proxy.example:3128');
  assert.equal(parseProxy('http://ann:secret@10.0.0.1:8080/'), 'http://ann:secret@10.0.0.1:8080');
  for (const wrong of ['proxy', 'ftp://proxy:1', 'proxy:99999', 'http://proxy:1/path', 'a b:1']) {
    assert.equal(parseProxy(wrong), undefined, wrong);
  }
});

test('a proxy is set in both spellings and taken away whole; other variables stay', () => {
  const set = withProxy({ GOFLAGS: '-v' }, { proxy: 'http://p:1', domain: 'x.test' });
  assert.deepEqual(
    [set.http_proxy, set.HTTPS_PROXY, set.no_proxy],
    ['http://p:1', 'http://p:1', 'localhost,127.0.0.1,.x.test'],
  );
  const deleted = withProxy(set, { proxy: undefined, domain: 'x.test' });
  assert.deepEqual([deleted.GOFLAGS, deleted.http_proxy, deleted.HTTP_PROXY], ['-v', undefined, undefined]);
});

test('names of time zones lead nowhere else', () => {
  for (const name of ['UTC', 'Europe/Zurich', 'America/Argentina/Salta', 'Etc/GMT+5'])
    assert.ok(isZoneName(name), name);
  for (const name of ['', '../passwd', 'Europe/../x', '/etc', 'a b']) assert.ok(!isZoneName(name), name);
});
