import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../platform/clock.ts';
import { silentLog } from '../platform/log.ts';
import { registryEgress } from './registry-egress.ts';

test('every address of a registry is opened at its port, and a name that nobody knows opens nothing', async () => {
  const clock = new FakeClock();
  const names: Record<string, string[]> = { 'a.corp': ['10.0.0.7', '10.0.0.8'], 'b.corp': ['192.0.2.1'] };
  const lookup = async (host: string) => {
    const found = names[host];
    if (!found) throw new Error(`no address of ${host}`);
    return found.map((address) => ({ address }));
  };
  const servers = ['a.corp', 'unknown.corp', 'b.corp'].map((host, i) => ({ host, port: 8081 + i }));
  assert.deepEqual(await registryEgress(servers, { clock, log: silentLog, lookup }), [
    { protocol: 'tcp', destination: '10.0.0.7', ports: '8081' },
    { protocol: 'tcp', destination: '10.0.0.8', ports: '8081' },
    { protocol: 'tcp', destination: '192.0.2.1', ports: '8083' },
  ]);
});

test('name servers that are silent hold a build up for five seconds at most', async () => {
  const clock = new FakeClock();
  const silent = () => new Promise<never>(() => {});
  const rules = registryEgress([{ host: 'a.corp', port: 80 }], { clock, log: silentLog, lookup: silent });
  await clock.advance(5000);
  assert.deepEqual(await rules, []);
});
