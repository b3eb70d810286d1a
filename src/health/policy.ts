import type { ClusterConfig } from '../contract/config.ts';
import type { ReconcilePolicy } from '../core/reconcile.ts';

export type WorldPolicy = ReconcilePolicy & { readonly heartbeatLostMs: number };

/** The settings as they are whenever one is asked for. */
export function policyOf(config: ClusterConfig['health']): WorldPolicy {
  return {
    get freeCrashes() {
      return config.freeCrashes;
    },
    get firstDelayMs() {
      return config.crashDelayFirstMs;
    },
    get maxDelayMs() {
      return config.crashDelayMaxMs;
    },
    get resetAfterMs() {
      return config.crashCountResetS * 1000;
    },
    get graceMs() {
      return config.startGraceMs;
    },
    get heartbeatLostMs() {
      return config.heartbeatLostMs;
    },
  };
}
