import { join } from 'node:path';
import { type Boot, environment } from '../platform/config.ts';
import { start } from '../platform/exec.ts';
import { sourceRoot } from '../platform/paths.ts';

/** kato on this node; what it finds in its environment is what its operator has at this machine. */
export function katoHere({ paths }: Boot): { kato: string; environment: Record<string, string> } {
  const { path, stackato } = environment;
  const hostsFile = stackato('HOSTS_FILE');
  const own = {
    PATH: path,
    HOME: '/root',
    LANG: 'C.UTF-8',
    CI: '1',
    STACKATO_STATE: paths.state,
    ...(hostsFile === undefined ? {} : { STACKATO_HOSTS_FILE: hostsFile }),
  };
  return { kato: join(sourceRoot, 'bin', 'kato'), environment: own };
}

/** Runs kato, which outlives this process; gives its exit code. */
export function runKato(boot: Boot, args: readonly string[]): Promise<number> {
  const { kato, environment: env } = katoHere(boot);
  const child = start([kato, ...args], { cwd: '/', env, detached: true }, ['ignore', 'ignore', 'ignore']);
  child.unref();
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? -1));
  });
}
