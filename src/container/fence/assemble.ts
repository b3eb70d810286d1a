import { fileURLToPath } from 'node:url';
import { exec } from '../../platform/exec.ts';
import type { BindMount } from '../container.ts';
import { userLimits } from './kernel-limits.ts';

const PROGRAM = fileURLToPath(new URL('assemble.pl', import.meta.url));

type Calls = Readonly<Record<string, number>>;

/** Numbers of system calls, which are the same everywhere only for those made since 2019. */
const EVERYWHERE: Calls = { open_tree: 428, move_mount: 429, mount_setattr: 442 };
const BY_ARCHITECTURE: Readonly<Record<string, Calls>> = {
  x64: {
    ...{ pivot_root: 155, setns: 308, sethostname: 170, umount2: 166, prlimit: 302, setfsuid: 122, setfsgid: 123 },
    unshare: 272,
  },
  arm64: {
    ...{ pivot_root: 41, setns: 268, sethostname: 161, umount2: 39, prlimit: 261, setfsuid: 151, setfsgid: 152 },
    unshare: 97,
  },
};

const usersText = Object.entries(userLimits)
  .map((limit) => limit.join(':'))
  .join(',');

/** What is done of a container, in this order. */
export type Assembly = {
  /** Copies a subvolume to this root; `bytes` is what may be written to it, 0 = no limit. */
  readonly copy?: { readonly from: string; readonly root: string; readonly bytes: number };
  /** Limits users of the container's process; commands for `ip`, those of the host and those inside its network. */
  readonly connect?: { readonly pid: number; readonly outer: string; readonly inner: string };
  /** Puts a process that waits on an empty root onto this one. `fds` can only lower what it has. */
  readonly enter?: {
    readonly pid: number;
    readonly root: string;
    readonly hostname: string;
    readonly fds: number;
    /** Owners from `inFiles` on appear as those from `first` on, `count` of them. */
    readonly ids: { readonly inFiles: number; readonly first: number; readonly count: number };
    /** Folders of the host that it may write to, their owners as in the root. */
    readonly volumes: readonly Pick<BindMount, 'source' | 'destination'>[];
  };
};

/** Argument array for an assembly. */
export function assembleCommand({ copy, connect, enter }: Assembly, architecture: string): string[] {
  const calls = { ...EVERYWHERE, ...BY_ARCHITECTURE[architecture] };
  const numbers = Object.entries(calls).map(([name, number]) => `${name}=${number}`);
  const settings = [
    ...(copy ? [`from=${copy.from}`, `root=${copy.root}`, ...(copy.bytes > 0 ? [`bytes=${copy.bytes}`] : [])] : []),
    ...(connect ? [`pid=${connect.pid}`, `users=${usersText}`, 'network=1'] : []),
    ...(enter
      ? [
          ...[`pid=${enter.pid}`, `root=${enter.root}`, 'enter=1', `name=${enter.hostname}`, `files=${enter.fds}`],
          `ids=${enter.ids.inFiles} ${enter.ids.first} ${enter.ids.count}`,
          ...['--', ...enter.volumes.flatMap(({ source, destination }) => [source, destination])],
        ]
      : []),
  ];
  return ['perl', PROGRAM, numbers.join(','), ...settings];
}

/** @throws ExecError with what failed */
export async function assemble(assembly: Assembly): Promise<void> {
  const { connect } = assembly;
  await exec(assembleCommand(assembly, process.arch), {
    ...(connect ? { input: `${connect.outer}--\n${connect.inner}` } : {}),
  });
}
