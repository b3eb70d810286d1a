import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Static } from 'typebox';
import Type from 'typebox';
import { decode } from '../contract/decode.ts';
import { StagingResult } from '../contract/messages/staging.ts';
import type { Clock } from '../platform/clock.ts';
import { readJsonIfExists, writeFileAtomic } from '../platform/files.ts';
import type { Log } from '../platform/log.ts';

/** What is kept of an accepted task until its result was taken: without a result, it is still running. */
const TaskRecord = Type.Object({
  task_id: Type.String(),
  app_id: Type.String(),
  completion_uri: Type.String(),
  result: Type.Optional(StagingResult),
});
type TaskRecord = Static<typeof TaskRecord>;

export type OutboxOptions = {
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
  /** No attempt begins after this fires; what was not taken is sent after the next start. */
  readonly stop: AbortSignal;
};

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 30_000;
const ATTEMPT_MS = 15_000;
/** After this a controller has given the build up by itself. */
const GIVE_UP_MS = 24 * 3600 * 1000;

/** Results on their way to the controller: on disk from the moment a task is accepted, until the result was taken. */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #sending = new Map<string, Promise<void>>();

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Remembers an accepted task. */
  async accepted(task: { task_id: string; app_id: string; completion_uri: string }): Promise<void> {
    const { task_id, app_id, completion_uri } = task;
    await this.#write({ task_id, app_id, completion_uri });
  }

  /** Remembers how a task ended and sends it until it is taken; resolves once it is remembered. */
  async ended(completionUri: string, result: Static<typeof StagingResult>): Promise<void> {
    const record = { task_id: result.task_id, app_id: result.app_id, completion_uri: completionUri, result };
    await this.#write(record);
    this.#send(record, result);
  }

  /** Takes up what an earlier process left: results go on being sent, tasks that it was running have failed. */
  async resume(failedResult: (task: TaskRecord) => Static<typeof StagingResult>): Promise<string[]> {
    await mkdir(this.#options.folder, { recursive: true, mode: 0o700 });
    const lost: string[] = [];
    for (const name of await readdir(this.#options.folder)) {
      if (!name.endsWith('.json')) continue;
      const record = decode(TaskRecord, await readJsonIfExists(join(this.#options.folder, name)), name);
      if (record.result === undefined) lost.push(record.task_id);
      await this.ended(record.completion_uri, record.result ?? failedResult(record));
    }
    return lost;
  }

  /** Tasks that have ended, whose result is on its way. */
  pending(): string[] {
    return [...this.#sending.keys()];
  }

  /** Resolves when everything was taken or nothing more will be tried. */
  async settled(): Promise<void> {
    await Promise.all(this.#sending.values());
  }

  #send(record: TaskRecord, result: Static<typeof StagingResult>): void {
    const sending = this.#sendUntilTaken(record, result).finally(() => this.#sending.delete(record.task_id));
    this.#sending.set(record.task_id, sending);
  }

  async #sendUntilTaken(record: TaskRecord, result: Static<typeof StagingResult>): Promise<void> {
    const { clock, log, stop } = this.#options;
    const giveUpAtMs = clock.nowMs() + GIVE_UP_MS;
    for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, MAX_DELAY_MS)) {
      const answer = await post(record.completion_uri, result);
      const isTaken = answer.status >= 200 && answer.status < 300;
      const isRefused = [400, 401, 403, 404, 409, 410, 422].includes(answer.status);
      if (isTaken || isRefused || clock.nowMs() > giveUpAtMs) {
        if (!isTaken) log.error('dropped-result', { task: record.task_id, answer: answer.status, reason: answer.text });
        return await rm(this.#file(record.task_id), { force: true });
      }
      log.warn('retrying-result', { task: record.task_id, answer: answer.status, reason: answer.text, delayMs });
      if (stop.aborted || (await isStopped(clock, delayMs, stop))) return;
    }
  }

  #write(record: TaskRecord): Promise<void> {
    return writeFileAtomic(this.#file(record.task_id), JSON.stringify(record), 0o600);
  }

  #file(taskId: string): string {
    return join(this.#options.folder, `${taskId}.json`);
  }
}

async function post(url: string, body: unknown): Promise<{ status: number; text: string }> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ATTEMPT_MS),
    });
    return { status: response.status, text: (await response.text()).slice(0, 300) };
  } catch (error) {
    const { message, cause } = error as Error;
    return { status: 0, text: cause instanceof Error ? `${message}: ${cause.message}` : message };
  }
}

async function isStopped(clock: Clock, ms: number, stop: AbortSignal): Promise<boolean> {
  try {
    await clock.sleep(ms, stop);
    return false;
  } catch (error) {
    if (stop.aborted) return true;
    throw error;
  }
}
