import type { Layout, Names } from './naming.ts';

export type RuntimeCommands = ReturnType<typeof runtimeCommands>;

/** Argument arrays of the OCI runtime and of conmon, which keeps a container's output and exit code. */
export function runtimeCommands(runtime: string, layout: Layout, names: Names) {
  const call = (...args: string[]) => [runtime, '--root', names.runtimeRoot, ...args];
  return {
    conmon: (handle: string, logBytes: number) => [
      'conmon',
      ...['--api-version', '1'],
      ...['--cid', handle, '--cuuid', handle, '--name', handle],
      ...['--runtime', runtime, '--runtime-arg', '--root', '--runtime-arg', names.runtimeRoot],
      ...['--bundle', layout.folder(handle), '--persist-dir', layout.folder(handle)],
      ...['--container-pidfile', layout.pidFile(handle), '--conmon-pidfile', layout.conmonPidFile(handle)],
      ...['--exit-dir', layout.exits],
      ...['--log-path', `k8s-file:${layout.log(handle)}`, '--log-size-max', String(logBytes), '--no-sync-log'],
      // The kernel allows a user 200 keys, and so would allow 200 containers; the seccomp filter refuses keyrings inside.
      ...['--log-level', 'error', '--full-attach', '--no-new-keyring'],
    ],
    start: (handle: string) => call('start', handle),
    exec: (handle: string, files: { process: string; pid: string }) =>
      call('exec', '--process', files.process, '--pid-file', files.pid, handle),
    delete: (handle: string) => call('delete', '--force', handle),
    /** Reading one byte of it starts a created container. Only runc has it; other runtimes are told to start. */
    startFifo: (handle: string) => `${names.runtimeRoot}/${handle}/exec.fifo`,
    state: (handle: string) => `${names.runtimeRoot}/${handle}`,
  } as const;
}
