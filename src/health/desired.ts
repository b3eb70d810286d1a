import type { Static } from 'typebox';
import type { BulkApp } from '../contract/messages/health.ts';
import type { DesiredProcess } from '../core/reconcile.ts';

export type DesiredApp = Static<typeof BulkApp>;

/** Where the desired state of all processes can be read. */
export interface DesiredSource {
  /** Every process by its guid; rejects when it can't be read whole. */
  read(signal?: AbortSignal): Promise<Map<string, DesiredApp>>;
}

/**
 * A process as the reconciliation wants it. When it last changed is what was noted before if nothing that matters is
 * different; at the very first reading it is what the controller says.
 */
export function desiredProcess(
  app: DesiredApp,
  before: DesiredProcess | undefined,
  context: { nowMs: number; isFirstReading: boolean },
): DesiredProcess {
  const updatedAtMs = Date.parse(app.updated_at) || 0;
  const state = app.state === 'STARTED' ? 'STARTED' : 'STOPPED';
  const packageState = app.package_state === 'STAGED' || app.package_state === 'FAILED' ? app.package_state : 'PENDING';
  const { instances, version } = app;
  const isSame =
    before?.instances === instances &&
    before.version === version &&
    before.state === state &&
    before.packageState === packageState;
  const firstSeenMs = context.isFirstReading ? Math.min(updatedAtMs, context.nowMs) : context.nowMs;
  const changedAtMs = isSame ? before.changedAtMs : firstSeenMs;
  return { instances, version, state, packageState, changedAtMs, updatedAtS: Math.floor(updatedAtMs / 1000) };
}
