import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../platform/files.ts';
import { configureNetwork } from './network-files.ts';

const wanted = { address: '10.0.0.5', length: 24, gateway: '10.0.0.1', dns: ['10.0.0.2'] };
const other = { ...wanted, address: '10.0.0.6' };

async function machine(files: Record<string, string>) {
  const folder = await temporaryDirectory('network-files-test');
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder.path, path)), { recursive: true });
    await writeFile(join(folder.path, path), text);
  }
  const configure = (to: typeof wanted | undefined, name = 'eth0') =>
    configureNetwork(name, to, { root: folder.path, isApplied: false, isThere: false });
  const read = (path: string) => readFile(join(folder.path, path), 'utf8');
  return { configure, read, root: folder.path, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

const debian = 'auto eth0\niface eth0 inet dhcp\n';

test('ifupdown: the file is changed, what it said before is kept, and again changes nothing', async () => {
  await using host = await machine({ 'sbin/ifup': '', 'etc/network/interfaces.d/eth0': debian });
  const first = await host.configure(wanted);
  assert.equal(first.file, join(host.root, 'etc/network/interfaces.d/eth0'));
  assert.deepEqual([first.manager, first.isChanged, first.isApplied, first.keepsDns], ['ifupdown', true, false, false]);
  assert.match(await readFile(first.file, 'utf8'), /address 10\.0\.0\.5\/24/);
  assert.equal(await readFile(first.previous ?? '', 'utf8'), debian);
  const again = await host.configure(wanted);
  assert.deepEqual([again.isChanged, again.previous], [false, first.previous]);
  assert.equal(await readFile(first.previous ?? '', 'utf8'), debian, 'not what this very command wrote');
  await host.configure(undefined);
  assert.equal(await readFile(first.file, 'utf8'), debian);
  assert.deepEqual(await readdir(join(host.root, 'etc/network/interfaces.d')), ['eth0'], 'ifupdown reads all in there');
});

test('systemd-networkd: only interfaces that it looks after', async () => {
  await using host = await machine({
    'sys/class/net/eth0/ifindex': '2\n',
    'sys/class/net/eth1/ifindex': '3\n',
    'run/systemd/netif/links/2': 'ADMIN_STATE=configured\nOPER_STATE=routable\n',
    'run/systemd/netif/links/3': 'ADMIN_STATE=unmanaged\n',
    'run/systemd/resolve/resolv.conf': '',
  });
  const first = await host.configure(wanted);
  assert.deepEqual([first.manager, first.previous, first.keepsDns], ['systemd-networkd', undefined, true]);
  const second = await host.configure(other);
  assert.match(await readFile(second.previous ?? '', 'utf8'), /Address=10\.0\.0\.5\/24/);
  assert.match(await host.read('etc/systemd/network/0-stackato-eth0.network'), /Address=10\.0\.0\.6\/24/);
  await assert.rejects(host.configure(wanted, 'eth1'), /neither netplan nor systemd-networkd nor ifupdown/);
});

test('netplan: a file of ours that others can not contradict, for nobody else to read', async () => {
  const cloud = 'network: { version: 2, ethernets: { eth0: { dhcp4: true }, eth1: { addresses: [10.1.0.5/24] } } }\n';
  await using host = await machine({ 'usr/sbin/netplan': '', 'etc/netplan/50-cloud-init.yaml': cloud });
  const { file } = await host.configure(wanted);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  await host.configure(undefined);
  await assert.rejects(host.configure(wanted, 'eth1'), /50-cloud-init\.yaml gives eth1 addresses/);
  await writeFile(join(host.root, 'etc/netplan/60-broken.yaml'), 'network: [');
  await assert.rejects(host.configure(wanted), /60-broken\.yaml can't be read/);
});
