import type { BindMount, Limits, ProcessSpec } from '../container.ts';
import { ID_COUNT } from './id-ranges.ts';
import { LAUNCH_INSIDE } from './launch-script.ts';
import { seccompProfile } from './seccomp.ts';

/** Where the init process is inside: it hands signals on and reaps what is orphaned, which a plain process 1 does not. */
const INIT_INSIDE = '/sbin/fence-init';

/** What root inside keeps; nobody else has any, and no program can gain more. */
const ROOT_CAPABILITIES = ['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'NET_BIND_SERVICE'];

export type OciInput = {
  /** Without a limit of memory where that is 0: it gets one before anything runs. */
  readonly container: { readonly handle: string; readonly limits: Limits; readonly mounts: readonly BindMount[] };
  readonly process: ProcessSpec;
  /** The host's id of root inside; others follow it. */
  readonly firstId: number;
  readonly rootPath: string;
  readonly cgroupsPath: string;
  /** Files made for the container, bound read-only. */
  readonly files: {
    readonly resolvConf: string;
    readonly hosts: string;
    readonly hostname: string;
    readonly launch?: string;
  };
  readonly initPath: string;
  readonly caFile?: string;
  readonly hasSwapLimit: boolean;
  readonly architecture: string;
};

/** The OCI configuration (`config.json`) of a container. */
export function ociConfig(input: OciInput) {
  const { container, process } = input;
  return {
    ociVersion: '1.0.2',
    hostname: hostnameOf(container.handle),
    root: { path: input.rootPath, readonly: false },
    process: {
      ...ociProcess(process, container.limits.fds),
      args: [INIT_INSIDE, '-s', '--', ...process.args],
      oomScoreAdj: 200,
    },
    mounts: mountsOf(input),
    linux: {
      namespaces: [
        { type: 'pid' },
        { type: 'ipc' },
        { type: 'uts' },
        { type: 'mount' },
        { type: 'cgroup' },
        { type: 'user' },
        // Made with the container, so that it belongs to its users' namespace, else no sysfs could be mounted.
        { type: 'network' },
      ],
      uidMappings: [{ containerID: 0, hostID: input.firstId, size: ID_COUNT }],
      gidMappings: [{ containerID: 0, hostID: input.firstId, size: ID_COUNT }],
      cgroupsPath: input.cgroupsPath,
      resources: resourcesOf(input),
      sysctl: {
        'net.ipv4.ip_unprivileged_port_start': '0',
        'net.ipv4.ping_group_range': '0 65535',
        'net.ipv6.conf.all.disable_ipv6': '1',
      },
      seccomp: seccompProfile(input.architecture),
      rootfsPropagation: 'private',
      maskedPaths: [
        '/proc/acpi',
        '/proc/asound',
        '/proc/kcore',
        '/proc/keys',
        '/proc/latency_stats',
        '/proc/sched_debug',
        '/proc/scsi',
        '/proc/timer_list',
        '/proc/timer_stats',
        '/sys/devices/virtual/powercap',
        '/sys/firmware',
        '/sys/fs/btrfs',
      ],
      // runc leaves the folder of the cgroup v1 hierarchies writable, whatever its mount says.
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger', '/sys/fs/cgroup'],
    },
  };
}

/** The `process` part of an OCI configuration, also the whole of what `exec` is given. */
export function ociProcess(spec: ProcessSpec, fds: number) {
  const held = spec.uid === 0 ? ROOT_CAPABILITIES.map((name) => `CAP_${name}`) : [];
  return {
    terminal: false,
    user: { uid: spec.uid, gid: spec.gid, umask: 0o022 },
    args: [...spec.args],
    env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    cwd: spec.cwd,
    noNewPrivileges: true,
    capabilities: { bounding: held, effective: held, permitted: held, inheritable: [], ambient: [] },
    rlimits: [
      { type: 'RLIMIT_NOFILE', soft: fds, hard: fds },
      { type: 'RLIMIT_CORE', soft: 0, hard: 0 },
    ],
  };
}

/** A host name that every resolver takes. */
export function hostnameOf(handle: string): string {
  return handle.slice(0, 63).replace(/^-+|-+$/g, '') || 'app';
}

/** Of the processor, by memory, in the kernel's first measure. */
export function cpuShares({ memoryMb }: Pick<Limits, 'memoryMb'>): number {
  return Math.min(262_144, Math.max(2, memoryMb));
}

function resourcesOf({ container, hasSwapLimit }: OciInput) {
  const { memoryMb, pids } = container.limits;
  const bytes = memoryMb * 1024 * 1024;
  return {
    ...(memoryMb > 0 ? { memory: { limit: bytes, ...(hasSwapLimit ? { swap: bytes } : {}) } } : {}),
    pids: { limit: pids },
    cpu: { shares: cpuShares(container.limits) },
    devices: [{ allow: false, access: 'rwm' }],
  };
}

function mountsOf({ container, files, caFile, initPath }: OciInput) {
  const guarded = ['nosuid', 'noexec', 'nodev'];
  const bind = (source: string, destination: string, options: readonly string[]) => ({
    source,
    destination,
    type: 'bind',
    options: ['rbind', 'nosuid', 'nodev', ...options],
  });
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: guarded },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: [...guarded, 'mode=1777', 'size=65536k'] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: guarded },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...guarded, 'ro'] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [...guarded, 'relatime', 'ro'] },
    bind(initPath, INIT_INSIDE, ['ro']),
    bind(files.resolvConf, '/etc/resolv.conf', ['ro', 'noexec']),
    bind(files.hosts, '/etc/hosts', ['ro', 'noexec']),
    bind(files.hostname, '/etc/hostname', ['ro', 'noexec']),
    ...(files.launch ? [bind(files.launch, LAUNCH_INSIDE, ['ro', 'noexec'])] : []),
    ...(caFile ? [bind(caFile, '/etc/ssl/certs/ca-certificates.crt', ['ro', 'noexec'])] : []),
    // Those that are writable come with the root: this runtime can't say whose files they have.
    ...container.mounts
      .filter(({ writable }) => !writable)
      .map(({ source, destination }) => bind(source, destination, ['ro'])),
  ];
}
