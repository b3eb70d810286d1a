import assert from 'node:assert/strict';
import { test } from 'node:test';
import { btrfs, parseUsage } from './btrfs-commands.ts';
import { layoutOf, namesOf } from './naming.ts';
import { hostText, insideText, removeVethsText } from './network-commands.ts';
import { runtimeCommands } from './runtime-commands.ts';

const names = namesOf('/state/fence', 'dea');
const layout = layoutOf('/state/fence', 'dea');

test('names of two pools, and of one pool on two nodes, never meet', () => {
  const all = [names, namesOf('/state/fence', 'stager'), namesOf('/other/fence', 'dea')];
  for (const key of ['tag', 'table', 'vethPrefix', 'cgroupParent', 'runtimeRoot'] as const) {
    assert.equal(new Set(all.map((each) => each[key])).size, 3, key);
  }
  assert.ok(names.veth(65_535).length <= 15, names.veth(65_535));
});

test('conmon is told everything it needs', () => {
  const commands = runtimeCommands('/usr/sbin/runc', layout, names);
  assert.deepEqual(commands.conmon('c1', 1000), [
    'conmon',
    ...['--api-version', '1', '--cid', 'c1', '--cuuid', 'c1', '--name', 'c1'],
    ...['--runtime', '/usr/sbin/runc', '--runtime-arg', '--root', '--runtime-arg', names.runtimeRoot],
    ...['--bundle', '/state/fence/pools/dea/containers/c1', '--persist-dir', '/state/fence/pools/dea/containers/c1'],
    ...['--container-pidfile', '/state/fence/pools/dea/containers/c1/pid'],
    ...['--conmon-pidfile', '/state/fence/pools/dea/containers/c1/conmon.pid'],
    ...['--exit-dir', '/state/fence/pools/dea/exits'],
    ...['--log-path', 'k8s-file:/state/fence/pools/dea/containers/c1/output.log', '--log-size-max', '1000'],
    ...['--no-sync-log', '--log-level', 'error', '--full-attach', '--no-new-keyring'],
  ]);
  assert.deepEqual(commands.exec('c1', { process: '/p.json', pid: '/p.pid' }), [
    ...['/usr/sbin/runc', '--root', names.runtimeRoot],
    ...['exec', '--process', '/p.json', '--pid-file', '/p.pid', 'c1'],
  ]);
  assert.deepEqual(commands.delete('c1').slice(3), ['delete', '--force', 'c1']);
});

test('the network of a container is made in two batches', () => {
  assert.match(
    hostText('fabx1', '10.250.0.2', 42),
    /^link add fabx1 address \S+ type veth peer name eth0 .* netns 42$/m,
  );
  assert.match(hostText('fabx1', '10.250.0.2', 42), /^route add 10\.250\.0\.2\/32 dev fabx1$/m);
  assert.match(insideText('10.250.0.2'), /^addr add 10\.250\.0\.2\/32 dev eth0$/m);
  assert.equal(removeVethsText(names, [1, 2]), `link del ${names.veth(1)}\nlink del ${names.veth(2)}\n`);
});

test('btrfs is called with paths as they are', () => {
  assert.deepEqual(btrfs.snapshot('/a', '/b c'), ['btrfs', 'subvolume', 'snapshot', '/a', '/b c']);
  assert.deepEqual(btrfs.limit(5, '/b'), ['btrfs', 'qgroup', 'limit', '-e', '5', '/b']);
});

test('usage is read by path', () => {
  const text = `Qgroupid    Referenced    Exclusive   Path
--------    ----------    ---------   ----
0/5              16384        16384   <toplevel>
0/256         52002816     52002816   subvolumes/tiny
0/257         20955136     20955100   containers/dea/c1
0/300             100           50   <stale>
`;
  const usage = parseUsage(text);
  assert.equal(usage.get('containers/dea/c1'), 20_955_100);
  assert.equal(usage.get('subvolumes/tiny'), 52_002_816);
});
