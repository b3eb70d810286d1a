import type { Bus } from '../bus/bus.ts';
import { subjects } from '../contract/subjects.ts';
import { start } from '../platform/exec.ts';
import type { Log } from '../platform/log.ts';

/** kato's commands that another node may ask for; the rest is for who sits at the machine. */
const REMOTE = /^(start|stop|restart|status|info|version|process|role|inspect|op|report|relocate|node|config|data)$/;

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
 * (`STACKATO_COMMAND` holds the id of the run).
 */
export class CommandRunner implements Disposable {
  readonly #subscription: Disposable;

  constructor(options: CommandRunnerOptions) {
    const { bus, log, nodeId, kato, environment } = options;
    this.#subscription = bus.subscribe(subjects.nodeRun, [nodeId], ({ command, args, input }, message) => {
      if (!REMOTE.test(args[0] ?? '')) {
        message.respond({ refused: `kato ${args[0] ?? ''} can't be run from another node` });
        return;
      }
      log.info('runs-command', { command, args });
      const child = start(
        [kato, ...args],
        { cwd: '/', env: { ...environment, STACKATO_COMMAND: command }, detached: true },
        ['pipe', 'ignore', 'ignore'],
      );
      child.on('error', (error) => log.error('failed-to-run-command', { command, error }));
      child.stdin?.on('error', (error) => log.warn('failed-to-hand-input-over', { command, error }));
      child.stdin?.end(input ?? '');
      child.unref();
      message.respond({});
    });
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }
}
