import { readdir, rm } from 'node:fs/promises';
import type { Static } from 'typebox';
import type { Message } from '../bus/bus.ts';
import type { ClusterConfig } from '../contract/config.ts';
import { type StagingSetup, stagingInterrupted } from '../contract/messages/staging.ts';
import { resolveStack } from '../contract/stacks.ts';
import { subjects } from '../contract/subjects.ts';
import type { Outbox } from './outbox.ts';
import { taskLabel } from './staging-container.ts';
import { emptyResult, failedResult, type Request } from './staging-result.ts';
import { StagingTask, type TaskContext } from './staging-task.ts';

export type StagerOptions = TaskContext & {
  readonly id: string;
  readonly stager: ClusterConfig['stager'];
  /** Memory that staging may use altogether, MB. */
  readonly memoryMb: number;
  readonly outbox: Outbox;
};

type Setup = Static<typeof StagingSetup>;

/** Accepts staging requests from the bus while it has memory for them, and tells how each one ended. */
export class Stager {
  readonly #options: StagerOptions;
  readonly #tasks = new Map<string, { task: StagingTask; done: Promise<void> }>();
  #stacks: string[] = [];
  #isStopping = false;

  constructor(options: StagerOptions) {
    this.#options = options;
  }

  /** Takes up what an earlier process left, then listens. Disposing it stops listening and ends what is running. */
  async start(): Promise<AsyncDisposable> {
    const { bus, clock, id, stager } = this.#options;
    await this.#recover();
    const subscriptions = [
      bus.subscribe(subjects.stagingStart, [id], (request, message) => this.#onStart(request, message)),
      bus.subscribe(subjects.stagingStop, [], ({ app_id, task_id }) => this.#onStop(app_id, task_id)),
      bus.subscribe(subjects.stagingLocate, [], () => this.#advertise()),
      bus.onStatus((status) => status === 'connected' && this.#advertise()),
      clock.every(stager.advertiseS * 1000, () => this.#refresh()),
    ];
    await this.#refresh();
    return {
      [Symbol.asyncDispose]: async () => {
        this.#isStopping = true;
        this.#advertise();
        for (const subscription of subscriptions) subscription[Symbol.dispose]();
        await this.#interruptAll();
      },
    };
  }

  /** Why it can't stage; undefined when it can. */
  unwell(): string | undefined {
    return this.#stacks.length === 0 ? 'no stack was imported' : undefined;
  }

  /** For the status page. */
  varz(): Record<string, unknown> {
    return {
      tasks: [...this.#tasks.keys()],
      available_memory: this.#availableMb(),
      memory: this.#options.memoryMb,
      stacks: this.#stacks,
    };
  }

  async #onStart(request: Request, message: Message<Setup>): Promise<void> {
    const { log, outbox } = this.#options;
    const setup = (error: string | null) =>
      message.respond({ ...emptyResult(request), task_streaming_log_url: null, error });
    if (this.#tasks.has(request.task_id)) return setup(null);
    const refusal = this.#refusal(request);
    if (refusal !== undefined) {
      log.warn('refused-task', { task: request.task_id, app: request.app_id, because: refusal });
      return setup(refusal);
    }
    const task = new StagingTask(request, this.#options);
    const accepted = outbox.accepted(request);
    const done = accepted.then(() => this.#run(task, message));
    this.#tasks.set(request.task_id, { task, done });
    await accepted;
    setup(null);
    this.#advertise();
    log.info('accepted-task', { task: request.task_id, app: request.app_id, memoryMb: request.memory_limit });
    await done;
  }

  async #run(task: StagingTask, message: Message<Setup>): Promise<void> {
    const { request } = task;
    const result = await task.run();
    await this.#options.outbox.ended(request.completion_uri, result);
    message.respond({ ...result, task_streaming_log_url: null, error: result.error ?? null });
    this.#tasks.delete(request.task_id);
    this.#advertise();
  }

  /** Why a task can't be taken on; undefined when it can. */
  #refusal(request: Request): string | undefined {
    if (this.#isStopping) return 'this stager is stopping';
    if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,54}$/.test(request.task_id)) return `'${request.task_id}' is no task id`;
    if (!this.#stacks.includes(resolveStack(request.stack))) {
      return `this stager has no stack '${request.stack}', only ${this.#stacks.join(', ') || 'none yet'}`;
    }
    if (this.#tasks.size >= this.#options.stager.maxTasks) return 'this stager has as many tasks as it may';
    if (request.memory_limit > this.#availableMb()) {
      return `this stager has ${this.#availableMb()} MB free, ${request.memory_limit} MB are asked for`;
    }
    return undefined;
  }

  #onStop(appId: string, taskId: string | undefined): void {
    for (const { task } of this.#tasks.values()) {
      const { app_id, task_id } = task.request;
      if (app_id === appId && (taskId === undefined || taskId === task_id)) {
        task.stop('Staging was cancelled', { isInterruption: false });
      }
    }
  }

  /** Ends every task and waits until each has cleaned up. */
  async #interruptAll(): Promise<void> {
    for (const { task } of this.#tasks.values()) task.stop('The stager was stopped', { isInterruption: true });
    await Promise.all([...this.#tasks.values()].map(({ done }) => done));
  }

  async #refresh(): Promise<void> {
    this.#stacks = await this.#options.engine.listStacks();
    this.#advertise();
  }

  #advertise(): void {
    const { bus, id, outbox } = this.#options;
    bus.publish(subjects.stagingAdvertise, [], {
      id,
      stacks: this.#isStopping ? [] : this.#stacks,
      available_memory: this.#availableMb(),
      // A task is not lost while its result is on its way.
      tasks: [...new Set([...this.#tasks.keys(), ...outbox.pending()])],
    });
  }

  #availableMb(): number {
    const { memoryMb, stager } = this.#options;
    if (this.#isStopping || this.#tasks.size >= stager.maxTasks) return 0;
    const used = [...this.#tasks.values()].reduce((sum, { task }) => sum + task.request.memory_limit, 0);
    return Math.max(0, memoryMb - used);
  }

  async #recover(): Promise<void> {
    const { engine, outbox, log, folder } = this.#options;
    const left = (await engine.list()).filter(({ labels }) => labels[taskLabel] !== undefined);
    for (const { handle } of left) await engine.destroy(handle);
    const swept = await engine.sweep();
    for (const name of await readdir(folder)) await rm(`${folder}/${name}`, { recursive: true, force: true });
    await this.#options.buildpacks.clean();
    const message = 'The stager was restarted';
    const lost = await outbox.resume((task) => failedResult(task, { type: stagingInterrupted, message }));
    if (left.length + lost.length + swept.length > 0) log.warn('recovered', { destroyed: left.length, swept, lost });
  }
}
