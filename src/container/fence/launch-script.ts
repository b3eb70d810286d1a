import type { ProcessSpec } from '../container.ts';

/** Where the script is inside, read-only and for the container's user alone. */
export const LAUNCH_INSIDE = '/sbin/fence-launch';

/** What a container runs that is made before anybody knows for what. */
export const launcher = { args: ['/bin/sh', LAUNCH_INSIDE], env: { PATH: '/usr/bin:/bin' }, cwd: '/' } as const;

/**
 * A shell script that becomes the main process: its folder, its whole environment, its arguments. Everything is quoted,
 * so nothing in it is read as shell. Names that a shell can't export are no obstacle.
 */
export function launchScript({ args, env, cwd }: Pick<ProcessSpec, 'args' | 'env' | 'cwd'>): string {
  const settings = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  // `env` would take a program with such a name for one more setting.
  const program = args[0]?.includes('=') ? ['/bin/sh', '-c', 'exec "$0" "$@"', ...args] : args;
  return `cd ${quoted(cwd)} || exit 126\nexec env -i -- ${[...settings, ...program].map(quoted).join(' ')}\n`;
}

const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
