import { ContainerError, type ContainerErrorKind } from '../container.ts';

const FULL = /No space left on device|Disk quota exceeded|ENOSPC|EDQUOT/;

/** An error of this engine for what a command or a system call answered. */
export function failure(what: string, cause: unknown, kind: ContainerErrorKind = 'failed'): ContainerError {
  if (cause instanceof ContainerError) return cause;
  const said = cause instanceof Error ? cause.message : String(cause);
  const isFull = FULL.test(said);
  const advice = isFull ? '; the container store is full: stop apps, or make the store larger' : '';
  return new ContainerError(isFull ? 'disk-full' : kind, `${what}${advice}: ${said}`, { cause });
}
