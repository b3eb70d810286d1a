import type { Log } from '../platform/log.ts';
import type { RequestOptions } from './bus.ts';

/**
 * Runs a subscription's handler for each message: at once, or one after another; a throw is logged and not fatal to the
 * listener. What it gives resolves when the message was handled.
 */
export function dispatcher<A extends unknown[]>(
  subject: string,
  handler: (...args: A) => unknown,
  options: { serial: boolean; log: Log },
): (...args: A) => Promise<void> {
  const run = async (...args: A) => {
    try {
      await handler(...args);
    } catch (error) {
      options.log.error('failed-handler', { subject, error });
    }
  };
  if (!options.serial) return run;
  let tail: Promise<void> = Promise.resolve();
  return (...args) => {
    tail = tail.then(() => run(...args));
    return tail;
  };
}

/** Have the replies to a request come that were asked for? */
export function isEnough<R>(replies: readonly R[], { expected = 1 }: RequestOptions<R>): boolean {
  return typeof expected === 'number' ? replies.length >= expected : expected(replies);
}
