import type { Log } from './log.ts';

/** A long-running part of a process. `start` resolves once it is ready; disposing what it gives stops it. */
export type Part = { readonly name: string; readonly start: () => Promise<AsyncDisposable> };

/** Starts parts in order, runs until the signal fires, then stops them in reverse order, also when a start fails. */
export async function runParts(parts: readonly Part[], signal: AbortSignal, log: Log): Promise<void> {
  await using stack = new AsyncDisposableStack();
  for (const part of parts) {
    if (signal.aborted) return;
    stack.use(await part.start());
    log.debug('started-part', { part: part.name });
  }
  log.info('ready');
  if (!signal.aborted) {
    await new Promise<void>((done) => signal.addEventListener('abort', () => done(), { once: true }));
  }
  log.info('stopping');
}

/** A part from a start function that gives its stop function. */
export function part(name: string, start: () => Promise<() => unknown> | (() => unknown)): Part {
  return {
    name,
    start: async () => {
      const stop = await start();
      return {
        [Symbol.asyncDispose]: async () => {
          await stop();
        },
      };
    },
  };
}
