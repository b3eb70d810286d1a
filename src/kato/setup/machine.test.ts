import assert from 'node:assert/strict';
import { test } from 'node:test';
import { distributionFault, kernelFault, leastDiskMb } from './machine.ts';

test('set-up takes Debian 12 and what derives from it, and names anything else', () => {
  const release = (id: string, codename: string, more = '') =>
    `PRETTY_NAME="Some ${id} ${codename}"\nID=${id}\nVERSION_CODENAME=${codename}\n${more}`;
  assert.equal(distributionFault(release('debian', 'bookworm')), undefined);
  assert.equal(distributionFault(release('raspbian', 'bookworm', 'ID_LIKE=debian\n')), undefined);
  assert.match(distributionFault(release('debian', 'trixie')) ?? '', /Some debian trixie; .*Debian 12/);
  assert.match(distributionFault(release('ubuntu', 'noble', 'ID_LIKE=debian\n')) ?? '', /Some ubuntu noble/);
  assert.match(distributionFault(release('fedora', 'x', 'ID_LIKE="rhel centos"\n')) ?? '', /installs Debian packages/);
  assert.match(distributionFault('') ?? '', /not named/);
});

test('a kernel has btrfs built in or as a module, else it is refused', () => {
  const without = 'nodev\tsysfs\n\text4\n';
  assert.equal(kernelFault(`${without}\tbtrfs\n`, ''), undefined);
  assert.equal(kernelFault(without, 'kernel/fs/btrfs/btrfs.ko.xz: kernel/lib/raid6/raid6_pq.ko'), undefined);
  assert.match(kernelFault(without, 'kernel/fs/xfs/xfs.ko:') ?? '', /no btrfs/);
});

test('a node that keeps neither apps nor data needs less disk', () => {
  assert.equal(leastDiskMb(['router']), leastDiskMb(['load_balancer']));
  assert.ok(leastDiskMb(['router']) < leastDiskMb(['router', 'dea']));
  assert.equal(leastDiskMb([]), leastDiskMb(['primary', 'controller', 'router']));
});
