import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostnameOf, type OciInput, ociConfig, ociProcess } from './oci-spec.ts';
import { seccompProfile } from './seccomp.ts';

const process = {
  args: ['/bin/true', 'a b'],
  env: { PORT: '8080', X: 'a=b' },
  cwd: '/home/vcap',
  uid: 2000,
  gid: 2000,
};
const input: OciInput = {
  container: {
    handle: 'c1',
    limits: { memoryMb: 256, diskMb: 512, pids: 128, fds: 1024 },
    mounts: [
      { source: '/host/cache', destination: '/tmp/cache', writable: false },
      { source: '/host/data', destination: '/data', writable: true },
    ],
  },
  process,
  firstId: 0x7001_0000,
  rootPath: '/store/containers/dea/c1',
  cgroupsPath: '/stackato/x/c1',
  files: { resolvConf: '/r', hosts: '/h', hostname: '/n' },
  initPath: '/usr/bin/tini-static',
  caFile: '/ca.pem',
  hasSwapLimit: true,
  architecture: 'x64',
};

test('the process runs under an init, as its user, without any privilege', () => {
  const config = ociConfig(input);
  assert.deepEqual(config.process.args, ['/sbin/fence-init', '-s', '--', '/bin/true', 'a b']);
  assert.deepEqual(config.process.env, ['PORT=8080', 'X=a=b']);
  assert.deepEqual(config.process.user, { uid: 2000, gid: 2000, umask: 0o022 });
  assert.equal(config.process.noNewPrivileges, true);
  assert.deepEqual(config.process.capabilities.bounding, []);
});

test('root inside keeps what installing files needs, and nothing of the network or the kernel', () => {
  const { capabilities } = ociProcess({ ...process, uid: 0, gid: 0 }, 100);
  assert.ok(capabilities.bounding.includes('CAP_CHOWN'));
  for (const name of ['SYS_ADMIN', 'NET_ADMIN', 'NET_RAW', 'SYS_PTRACE', 'MKNOD', 'SYS_MODULE', 'DAC_READ_SEARCH']) {
    assert.ok(!capabilities.bounding.includes(`CAP_${name}`), name);
  }
});

test('ids and namespaces are its own, limits as asked', () => {
  const { linux } = ociConfig(input);
  assert.deepEqual(linux.uidMappings, [{ containerID: 0, hostID: 0x7001_0000, size: 65_536 }]);
  assert.deepEqual(linux.namespaces.map(({ type }) => type).sort(), [
    ...['cgroup', 'ipc', 'mount', 'network', 'pid', 'user', 'uts'],
  ]);
  assert.deepEqual(linux.resources.memory, { limit: 268_435_456, swap: 268_435_456 });
  assert.deepEqual(linux.resources.pids, { limit: 128 });
  assert.deepEqual(linux.resources.cpu, { shares: 256 });
  assert.deepEqual(ociConfig({ ...input, hasSwapLimit: false }).linux.resources.memory, { limit: 268_435_456 });
});

test('mounts: made files and certificates read-only, asked ones as asked, never set-id programs or devices', () => {
  const mounts = ociConfig(input).mounts;
  const at = (destination: string) => mounts.find((mount) => mount.destination === destination);
  assert.ok(at('/etc/ssl/certs/ca-certificates.crt')?.options.includes('ro'));
  assert.ok(at('/etc/resolv.conf')?.options.includes('ro'));
  assert.deepEqual(at('/tmp/cache')?.options, ['rbind', 'nosuid', 'nodev', 'ro']);
  assert.equal(at('/data'), undefined);
  const { caFile: _, ...without } = input;
  assert.ok(!ociConfig(without).mounts.some((mount) => mount.destination.startsWith('/etc/ssl')));
  for (const mount of mounts) assert.ok(mount.options.includes('nosuid'), mount.destination);
});

test('seccomp refuses by default, and lets no ioctl of btrfs through but the cloning of files', () => {
  const profile = seccompProfile('x64');
  assert.equal(profile.defaultAction, 'SCMP_ACT_ERRNO');
  const plain = new Set(profile.syscalls.flatMap((rule) => (rule.args ? [] : rule.names)));
  for (const name of [
    'mount',
    'bpf',
    'ioctl',
    'keyctl',
    'unshare',
    'setns',
    'io_uring_setup',
    'userfaultfd',
    'kexec_load',
  ]) {
    assert.ok(!plain.has(name), name);
  }
  const isAllowed = (command: number) =>
    profile.syscalls
      .filter((rule) => rule.names.includes('ioctl'))
      .some((rule) =>
        rule.args?.every((arg) => (BigInt(command) & BigInt(arg.value)) === BigInt(arg.valueTwo ?? arg.value)),
      );
  const [TCGETS, FIONREAD, FICLONE] = [0x5401, 0x541b, 0x40049409];
  const [SUBVOL_CREATE, SNAP_CREATE_V2, QGROUP_LIMIT] = [0x5000940e, 0x50009417, 0x8030942b];
  assert.deepEqual([TCGETS, FIONREAD, FICLONE].map(isAllowed), [true, true, true]);
  assert.deepEqual([SUBVOL_CREATE, SNAP_CREATE_V2, QGROUP_LIMIT].map(isAllowed), [false, false, false]);
});

test('host names are valid whatever the handle', () => {
  assert.equal(hostnameOf('-a-'), 'a');
  assert.equal(hostnameOf('a'.repeat(64)).length, 63);
  assert.equal(hostnameOf('---'), 'app');
});
