import { type ChildProcess, spawn } from 'node:child_process';

export type ExecOptions = {
  readonly cwd?: string;
  /** The whole environment of the child; default: that of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Written to standard input, which is then closed. */
  readonly input?: string | Buffer;
  /** Killed after this; default 60 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  readonly uid?: number;
  readonly gid?: number;
  /** Exit codes that are not an error; default [0]. */
  readonly okCodes?: readonly number[];
  /** Open files that take the place of what would be held in memory. */
  readonly stdinFd?: number;
  readonly stdoutFd?: number;
};

export type ExecResult = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** A command that failed: which, how it ended and the end of what it said. */
export class ExecError extends Error {
  override name = 'ExecError';
  readonly code: number | null;
  readonly stderr: string;
  readonly stdout: string;
  constructor(argv: readonly string[], end: { code: number | null; why: string; stdout: string; stderr: string }) {
    const said = (end.stderr || end.stdout).trim().split('\n').slice(-8).join('\n');
    super(`${argv.slice(0, 6).join(' ')}${argv.length > 6 ? ' …' : ''} ${end.why}${said ? `: ${said}` : ''}`);
    this.code = end.code;
    this.stderr = end.stderr;
    this.stdout = end.stdout;
  }
}

/**
 * Runs a command given as an argument array (never a shell string) to its end.
 *
 * @throws ExecError when it cannot start, is killed, times out, or exits with a code not in `okCodes`
 */
export function exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const { timeoutMs = 60_000, okCodes = [0] } = options;
  const { promise, resolve, reject } = Promise.withResolvers<ExecResult>();
  const child = start(argv, options, [options.stdinFd ?? 'pipe', options.stdoutFd ?? 'pipe', 'pipe']);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  let why = '';
  const kill = (reason: string) => {
    why = reason;
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => kill(`timed out after ${timeoutMs} ms`), timeoutMs);
  const onAbort = () => kill('was cancelled');
  options.signal?.addEventListener('abort', onAbort, { once: true });
  if (options.signal?.aborted) onAbort();
  const finish = (code: number | null, reason: string) => {
    clearTimeout(timer);
    options.signal?.removeEventListener('abort', onAbort);
    const stdout = Buffer.concat(out).toString('utf8');
    const stderr = Buffer.concat(err).toString('utf8');
    if (code !== null && !why && okCodes.includes(code)) resolve({ code, stdout, stderr });
    else reject(new ExecError(argv, { code, why: why || reason, stdout, stderr }));
  };
  child.on('error', (error) => finish(null, `could not start (${error.message})`));
  child.on('close', (code, sig) => finish(code, sig ? `was killed by ${sig}` : `exited with ${code}`));
  child.stdin?.on('error', () => child.stdin?.destroy());
  child.stdin?.end(options.input);
  return promise;
}

/** Starts a long-running command and hands over its process; standard streams as named. */
export function start(
  argv: readonly string[],
  options: Pick<ExecOptions, 'cwd' | 'env' | 'uid' | 'gid'> & { detached?: boolean } = {},
  stdio: ('pipe' | 'ignore' | 'inherit' | number)[] = ['ignore', 'pipe', 'pipe'],
): ChildProcess {
  const [command, ...args] = argv;
  if (!command) throw new Error('exec: empty argument array');
  return spawn(command, args, {
    stdio,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.env === undefined ? {} : { env: options.env }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
    ...(options.detached ? { detached: true } : {}),
  });
}
