import { systemClock } from '../../platform/clock.ts';
import type { Node } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { formatElapsed, type Terminal } from '../terminal.ts';

/** What the operator asked for. */
export type SetupOptions = {
  /** A whole cluster by itself, or the first node of one. */
  readonly kind: 'micro' | 'core';
  readonly domain: string | undefined;
  readonly email: string | undefined;
  readonly org: string | undefined;
  readonly password: string | undefined;
  readonly roles: readonly string[];
  readonly welcome: boolean;
  /** False: whoever has the set-up password makes the first administrator, over HTTP. */
  readonly firstUser?: boolean;
  readonly state: string;
};

/** What the steps learn on the way. */
export type SetupContext = {
  readonly options: SetupOptions;
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
  /** Notes for the end: said once, after everything worked. */
  readonly notes: string[];
  /** The node; refused by steps before its files are written. */
  readonly node: () => Promise<Node>;
};

/** One named step of set-up. It looks for itself whether it was done, and can be repeated after any interruption. */
export type Step = {
  readonly title: string;
  /** Gives 'done' when it changed something, 'already' when there was nothing to do, or why it was left out. */
  readonly run: (context: SetupContext) => Promise<'done' | 'already' | { skipped: string }>;
};

/** Runs steps in order, saying each with its time. A failing one ends set-up with what to do. */
export async function runSteps(steps: readonly Step[], context: SetupContext): Promise<void> {
  const { say, progress, isTransient } = context.terminal;
  for (const [at, step] of steps.entries()) {
    const head = `[${String(at + 1).padStart(2)}/${steps.length}] ${step.title}`;
    if (context.signal.aborted) throw new Refusal('set-up was interrupted', resume);
    const startedMs = systemClock.nowMs();
    const slow = systemClock.every(isTransient ? 1000 : 5000, () =>
      progress(`${head} … ${formatElapsed(systemClock.nowMs() - startedMs)}`),
    );
    try {
      const outcome = await step.run(context);
      const took = formatElapsed(systemClock.nowMs() - startedMs);
      const word =
        outcome === 'done' ? `done in ${took}` : outcome === 'already' ? `already done (${took})` : outcome.skipped;
      say(`${head}: ${word}`);
    } catch (error) {
      say(`${head}: failed after ${formatElapsed(systemClock.nowMs() - startedMs)}`);
      throw failed(step, error);
    } finally {
      slow[Symbol.dispose]();
    }
  }
}

const resume = 'run the same command again: finished steps are not repeated';

function failed(step: Step, error: unknown): Refusal {
  if (error instanceof Refusal) {
    return new Refusal(
      `set-up stopped at “${step.title}”: ${error.message}`,
      [error.next, resume].filter(Boolean).join('; then '),
      {
        cause: error,
      },
    );
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new Refusal(`set-up stopped at “${step.title}”: ${reason}`, resume, { cause: error });
}
