import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer as createPlain } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { basename } from 'node:path';
import { describe, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { type Endpoint, RouteTable } from '../../core/route-table.ts';
import { exec } from '../../platform/exec.ts';
import { temporaryDirectory, writeFileAtomic } from '../../platform/files.ts';
import { poolOf } from '../proxy.conformance.ts';
import { type HaproxyRig, openHaproxyRig, says } from './rig.conformance.ts';

const NAME = 'instance.apps.internal';
const OTHER_NAME = 'other.apps.internal';

describe('HAProxy, TLS to endpoints', () => {
  test('speaks TLS to an endpoint that asks for it, shows its own certificate, and does so after a take-over', async () => {
    await using rig = await openTlsRig();
    const at = await rig.listen('good');
    await rig.haproxy.proxy.start([]);
    const table = new RouteTable(120_000);
    const message = { ...says('i1', { host: at.host, port: 1 }), tls_port: at.port, server_cert_domain_san: NAME };
    await rig.haproxy.proxy.apply(table.register(message, 0));
    assert.equal(await rig.ask(), '200 router https');
    await rig.haproxy.proxy.detach();
    // Other settings make it write a new configuration from what it read back.
    const next = rig.haproxy.successor({ stickyCookies: ['OTHER'] });
    const pools = await next.adopt();
    assert.deepEqual(pools?.[0]?.endpoints[0]?.tls, { name: NAME });
    assert.equal(await rig.ask(), '200 router https');
    await next.apply(table.unregister(message));
    assert.match(await rig.ask(), /^404 unknown_route/);
  });

  test('reaches each of two instances behind one port by its name', async () => {
    await using rig = await openTlsRig();
    const at = await rig.listen('good');
    await rig.haproxy.proxy.start([]);
    const table = new RouteTable(120_000);
    for (const [id, name] of [['i1', NAME] as const, ['i2', OTHER_NAME] as const]) {
      const message = { ...says(id, { host: at.host, port: 1 }), tls_port: at.port, server_cert_domain_san: name };
      await rig.haproxy.proxy.apply(table.register({ ...message, uris: [`${id}.test`] }, 0));
    }
    for (const [id, name] of [
      ['i1', NAME],
      ['i2', OTHER_NAME],
      ['i1', NAME],
    ]) {
      assert.equal((await rig.haproxy.request({ host: `${id}.test` })).headers['x-name'], name);
    }
  });

  test('is told at its start of endpoints that ask for TLS, and of one that no longer does', async () => {
    await using rig = await openTlsRig();
    const at = await rig.listen('good');
    const endpoint = rig.endpoint('i1', at);
    await rig.haproxy.proxy.start([poolOf('a.test', endpoint)]);
    assert.equal(await rig.ask(), '200 router https');
    const plain = await rig.haproxy.serve((_request, response) => void response.end('plain'));
    const { tls: _tls, ...rest } = endpoint;
    await rig.haproxy.proxy.apply([{ do: 'add-endpoint', uri: 'a.test', endpoint: { ...rest, port: plain.port } }]);
    assert.equal(await rig.ask(), '200 plain');
  });

  for (const wrong of ['other-name', 'other-authority'] as const) {
    test(`refuses an endpoint whose certificate is of ${wrong.replace('-', ' ')}`, async () => {
      await using rig = await openTlsRig();
      await rig.haproxy.proxy.start([]);
      const endpoint = rig.endpoint('i1', await rig.listen(wrong));
      await rig.haproxy.proxy.apply([
        { do: 'add-route', uri: 'a.test', app: 'app-1' },
        { do: 'add-endpoint', uri: 'a.test', endpoint },
      ]);
      assert.equal(
        await rig.ask(),
        '502 endpoint_failure 502 Bad Gateway: Registered endpoint failed to handle the request.\n',
      );
      assert.equal(rig.served(), 0);
    });
  }

  test('never falls back to plain HTTP', async () => {
    await using rig = await openTlsRig();
    const seen: string[] = [];
    const plain = createPlain((request, response) => {
      seen.push(request.url ?? '');
      response.end('plain');
    }).listen(0, '127.0.0.1');
    await once(plain, 'listening');
    try {
      const { port } = plain.address() as AddressInfo;
      await rig.haproxy.proxy.start([poolOf('a.test', rig.endpoint('i1', { host: '127.0.0.1', port }))]);
      assert.match(await rig.ask(), /^502 endpoint_failure/);
      assert.deepEqual(seen, []);
    } finally {
      plain.closeAllConnections();
      plain.close();
    }
  });
});

type Kind = 'good' | 'other-name' | 'other-authority';

async function openTlsRig() {
  const folder = await temporaryDirectory('endpoint-tls');
  const at = (name: string) => `${folder.path}/${name}`;
  for (const authority of ['ca', 'stranger']) await makeAuthority(at(authority));
  await makeCertificate(at('good'), at('ca'), NAME, OTHER_NAME);
  await makeCertificate(at('other-name'), at('ca'), 'somebody.else');
  await makeCertificate(at('other-authority'), at('stranger'), NAME);
  await makeCertificate(at('router'), at('ca'), 'router');
  const [certificate, key] = await Promise.all(['pem', 'key'].map((end) => readFile(at(`router.${end}`), 'utf8')));
  await writeFileAtomic(at('both.pem'), `${certificate}${key}`, 0o600);
  const haproxy: HaproxyRig = await openHaproxyRig({
    endpointTls: { caFile: at('ca.pem'), certificate: at('both.pem') },
  });
  const servers: Server[] = [];
  let served = 0;
  return {
    haproxy,
    served: () => served,
    endpoint: (id: string, to: { host: string; port: number }): Endpoint => {
      return { id, app: 'app-1', ...to, index: '0', protocol: 'http1', tls: { name: NAME } };
    },
    /** An endpoint that demands the router's certificate, and answers whose it was. */
    listen: async (kind: Kind) => {
      const [cert, key, ca] = await Promise.all(
        [`${kind}.pem`, `${kind}.key`, 'ca.pem'].map((file) => readFile(at(file))),
      );
      const server = createServer(
        { cert, key, ca, requestCert: true, rejectUnauthorized: true },
        (request, response) => {
          served += 1;
          response.setHeader('x-name', String((request.socket as TLSSocket).servername));
          response.end(`${(request.socket as TLSSocket).getPeerCertificate().subject.CN} https`);
        },
      ).listen(0, '127.0.0.1');
      servers.push(server);
      await once(server, 'listening');
      return { host: '127.0.0.1', port: (server.address() as AddressInfo).port };
    },
    ask: async () => {
      const { status, headers, body } = await haproxy.request({ host: 'a.test' });
      return [status, headers['x-cf-routererror'], body].filter((part) => part !== undefined).join(' ');
    },
    [Symbol.asyncDispose]: async () => {
      await haproxy[Symbol.asyncDispose]();
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
      await folder[Symbol.asyncDispose]();
    },
  };
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

async function makeAuthority(path: string): Promise<void> {
  const out = ['-keyout', `${path}.key`, '-out', `${path}.pem`];
  await exec(['openssl', 'req', '-x509', ...EC, '-days', '1', '-subj', `/CN=${basename(path)} authority`, ...out]);
}

async function makeCertificate(path: string, authority: string, name: string, ...more: string[]): Promise<void> {
  await exec([
    ...['openssl', 'req', '-x509', ...EC, '-days', '1', '-subj', `/CN=${name}`],
    ...[
      '-addext',
      `subjectAltName=${[name, ...more].map((one) => `DNS:${one}`).join()}`,
      '-addext',
      'basicConstraints=critical,CA:FALSE',
    ],
    ...['-CA', `${authority}.pem`, '-CAkey', `${authority}.key`, '-keyout', `${path}.key`, '-out', `${path}.pem`],
  ]);
}
