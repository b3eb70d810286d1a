import { ContainerError } from '../container/container.ts';
import { PlatformError } from '../contract/errors.ts';
import { stagingInterrupted } from '../contract/messages/staging.ts';
import { explainTimeout, type StagingFailure } from '../core/staging-failure.ts';

/** A task was ended from outside: somebody cancelled it, or its stager went. */
export class TaskStopped extends Error {
  override name = 'TaskStopped';
  readonly isInterruption: boolean;
  constructor(because: string, options: { isInterruption: boolean }) {
    super(because);
    this.isInterruption = options.isInterruption;
  }
}

/** The task's time is over. */
export class TimeExpired extends Error {
  override name = 'TimeExpired';
}

/** The build ended with a failure of its own. */
export class BuildFailed extends Error {
  override name = 'BuildFailed';
  readonly failure: StagingFailure;
  constructor(failure: StagingFailure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** What to tell people about whatever ended a task. */
export function explainFault(error: unknown, task: { timeoutS: number; tail: readonly string[] }): StagingFailure {
  if (error instanceof BuildFailed) return error.failure;
  if (error instanceof TimeExpired) return explainTimeout(task.timeoutS, task.tail);
  if (error instanceof TaskStopped) {
    return { type: error.isInterruption ? stagingInterrupted : 'StagingError', message: error.message };
  }
  if (error instanceof PlatformError) {
    const detail =
      error.cause instanceof Error && error.kind === 'BuildpackReleaseFailed' ? `: ${error.cause.message}` : '';
    return { type: error.kind, message: `${error.message}${detail}` };
  }
  if (isDiskFull(error)) {
    return { type: 'StagingError', message: "The stager's disk is full; an operator must free space on it" };
  }
  return { type: 'StagingError', message: `Staging failed: ${(error as Error).message}` };
}

/** Faults that people can't cause, which belong into the stager's own log. */
export function isUnexpected(error: unknown): boolean {
  return !(error instanceof BuildFailed || error instanceof PlatformError || error instanceof TaskStopped);
}

function isDiskFull(error: unknown): boolean {
  if (error instanceof ContainerError) return error.kind === 'disk-full';
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
