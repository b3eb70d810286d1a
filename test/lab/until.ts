import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_MS = 100;

/**
 * Looks until it holds, and fails when that takes longer; what a look gives instead of true is told then. Between looks
 * the processor is left to what they wait for.
 */
export async function until(what: string, ms: number, look: () => unknown): Promise<void> {
  const endMs = Date.now() + ms;
  for (let seen = await look(); seen !== true; seen = await look()) {
    assert.ok(Date.now() < endMs, `${what} within ${ms} ms; last seen: ${seen}`);
    await delay(LOOK_MS);
  }
}
