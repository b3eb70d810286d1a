import type { Bus } from '../bus/bus.ts';
import { subjects } from '../contract/subjects.ts';
import { isRemote } from '../core/node-commands.ts';
import { start } from '../platform/exec.ts';
import type { Log } from '../platform/log.ts';

export type CommandRunnerOptions = {
  readonly bus: Bus;
  readonly log: Log;
  readonly nodeId: string;
  /** Path of kato's launcher. */
  readonly kato: string;
  readonly environment: Readonly<Record<string, string>>;
};

/**
 * Runs kato here for the Core's kato. The command outlives this process, which it may restart, and tells its outcome itself
 * (`kato tell`).
 */
export class CommandRunner implements Disposable {
  readonly #subscription: Disposable;

  constructor(options: CommandRunnerOptions) {
    const { bus, log, nodeId, kato, environment } = options;
    this.#subscription = bus.subscribe(subjects.nodeRun, [nodeId], ({ command, args }, message) => {
      if (!isRemote(args)) {
        message.respond({ refused: `kato ${args[0] ?? ''} can't be run from another node` });
        return;
      }
      log.info('runs-command', { command, args });
      const child = start([kato, 'tell', command, ...args], { cwd: '/', env: environment, detached: true }, [
        'ignore',
        'ignore',
        'ignore',
      ]);
      child.on('error', (error) => log.error('failed-to-run-command', { command, error }));
      child.unref();
      message.respond({});
    });
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }
}
