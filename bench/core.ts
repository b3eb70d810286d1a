import { type DeaOffer, placeInstance } from '../src/core/placement.ts';
import { type ProcessFacts, reconcileAll } from '../src/core/reconcile.ts';
import { seededRandom } from '../src/platform/random.ts';
import type { BenchRow } from './row.ts';

const nowMs = 1_700_000_000_000;

/** The decisions at the size that is planned for: 1,000 DEAs, 100,000 instances. */
export async function bench(): Promise<BenchRow[]> {
  const reconcileMs = median(5, reconcileOnce);
  const perSecond = placementsPerSecond();
  return [
    {
      what: 'one reconciliation of 100,000 instances, 1 % missing',
      value: `${reconcileMs.toFixed(0)} ms`,
      target: '≤ 250 ms',
      ok: reconcileMs <= 250,
    },
    {
      what: 'placement on 1,000 DEAs',
      value: `${Math.round(perSecond)} decisions/s`,
      target: '≥ 10,000/s',
      ok: perSecond >= 10_000,
    },
  ];
}

function reconcileOnce(): number {
  const facts: ProcessFacts[] = Array.from({ length: 10_000 }, (_, app) => ({
    droplet: `process-${app}`,
    desired: {
      instances: 10,
      state: 'STARTED',
      version: 'v1',
      packageState: 'STAGED',
      changedAtMs: nowMs - 3_600_000,
      updatedAtS: nowMs / 1000 - 3600,
    },
    actual: Array.from({ length: app % 10 === 0 ? 9 : 10 }, (_, index) => ({
      instance: `i-${app}-${index}`,
      index,
      version: 'v1',
      state: 'RUNNING' as const,
      sinceMs: nowMs - 60_000,
    })),
    crashes: undefined,
    pendingStarts: undefined,
    pendingStops: undefined,
    seen: undefined,
  }));
  const startedMs = performance.now();
  const plans = reconcileAll(facts, nowMs, {
    freeCrashes: 3,
    firstDelayMs: 30_000,
    maxDelayMs: 960_000,
    resetAfterMs: 300_000,
    graceMs: 10_000,
  });
  const tookMs = performance.now() - startedMs;
  if (plans.length !== 1000) throw new Error(`expected 1000 plans, got ${plans.length}`);
  return tookMs;
}

function placementsPerSecond(): number {
  const random = seededRandom(7);
  const offers: DeaOffer[] = Array.from({ length: 1000 }, (_, i) => ({
    id: `dea-${i}`,
    availabilityZone: `zone-${i % 3}`,
    placementZones: ['default'],
    stacks: ['stackato'],
    memoryMb: 16_384 - (i % 64) * 128,
    diskMb: 200_000,
    instances: new Map([[`process-${i % 50}`, 1 + (i % 3)]]),
    heardAtMs: nowMs - 1000,
  }));
  const count = 20_000;
  const startedMs = performance.now();
  for (let i = 0; i < count; i++) {
    const need = { process: `process-${i % 100}`, memoryMb: 256, diskMb: 1024, stack: 'stackato' };
    const placement = placeInstance(need, offers, { nowMs, maxAgeMs: 10_000, pick: random.pick });
    if (!('dea' in placement)) throw new Error('an instance that fits everywhere was not placed');
  }
  return count / ((performance.now() - startedMs) / 1000);
}

function median(runs: number, measure: () => number): number {
  return Array.from({ length: runs }, measure).sort((a, b) => a - b)[Math.floor(runs / 2)] ?? 0;
}
