import type { Static } from 'typebox';
import type { StagingResult, StagingStart } from '../contract/messages/staging.ts';
import type { StagingFailure } from '../core/staging-failure.ts';
import type { BuildReport } from './build-report.ts';
import type { UploadOutcome } from './transfer.ts';

export type Request = Static<typeof StagingStart>;
export type Result = Static<typeof StagingResult>;

type Task = { readonly task_id: string; readonly app_id: string };

/** A result that says nothing yet; every key is there, as the original sends them. */
export function emptyResult(task: Task): Result {
  return {
    task_id: task.task_id,
    app_id: task.app_id,
    detected_buildpack: null,
    buildpack_key: null,
    droplet_sha1: null,
    detected_start_command: null,
    procfile: null,
    error: null,
    error_info: null,
  };
}

/** The result of a task that failed. */
export function failedResult(task: Task, failure: StagingFailure): Result {
  return { ...emptyResult(task), error: failure.message, error_info: { ...failure } };
}

/** The result of a task whose droplet is at the controller. */
export function stagedResult(task: Task, report: BuildReport, droplet: UploadOutcome): Result {
  return {
    ...emptyResult(task),
    detected_buildpack: report.detected,
    buildpack_key: report.last.key,
    droplet_sha1: droplet.sha1,
    droplet_sha256: droplet.sha256,
    droplet_bytes: droplet.bytes,
    detected_start_command: report.processes.web ?? null,
    procfile: { ...report.processes },
    buildpacks: report.buildpacks.map((one) => ({ ...one })),
  };
}
