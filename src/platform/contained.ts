/**
 * A command whose processes and mounts are in namespaces of their own: they end with it, and with this process, however
 * either ends. Needs root; kill it with SIGKILL.
 */
export function contained(argv: readonly string[]): string[] {
  const ownNamespaces = ['unshare', '--mount', '--pid', '--mount-proc', '--fork', '--kill-child'];
  return ['setpriv', '--pdeathsig', 'KILL', ...ownNamespaces, '--', ...argv];
}
