import type { Layout, Names } from './naming.ts';

export type RuntimeCommands = ReturnType<typeof runtimeCommands>;

/** Argument arrays of the OCI runtime and of conmon, which keeps a container's output and exit code. */
export function runtimeCommands(runtime: string, layout: Layout, names: Names) {
  const call = (...args: string[]) => [runtime, '--root', names.runtimeRoot, ...args];
  return {
    conmon: (id: string, logBytes: number) => [
      'conmon',
      ...['--api-version', '1'],
      ...['--cid', id, '--cuuid', id, '--name', id],
      ...['--runtime', runtime, '--runtime-arg', '--root', '--runtime-arg', names.runtimeRoot],
      ...['--bundle', layout.folder(id), '--persist-dir', layout.folder(id)],
      ...['--container-pidfile', layout.pidFile(id), '--conmon-pidfile', layout.conmonPidFile(id)],
      ...['--exit-dir', layout.exits],
      ...['--log-path', `k8s-file:${layout.log(id)}`, '--log-size-max', String(logBytes), '--no-sync-log'],
      // The kernel allows a user 200 keys, and so would allow 200 containers; the seccomp filter refuses keyrings inside.
      ...['--log-level', 'error', '--full-attach', '--no-new-keyring'],
    ],
    start: (id: string) => call('start', id),
    exec: (id: string, files: { process: string; pid: string }) =>
      call('exec', '--process', files.process, '--pid-file', files.pid, id),
    delete: (id: string) => call('delete', '--force', id),
    /** Reading one byte of it starts a created container. Only runc has it; other runtimes are told to start. */
    startFifo: (id: string) => `${names.runtimeRoot}/${id}/exec.fifo`,
    state: (id: string) => `${names.runtimeRoot}/${id}`,
  } as const;
}
