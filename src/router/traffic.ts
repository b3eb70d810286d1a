import { Counter, Gauge } from 'prom-client';
import { metrics } from '../bus/component.ts';
import type { AccessRecord } from '../proxy/proxy.ts';

const SAMPLES = 1024;
const BUCKET_MS = 10_000;
const BUCKETS = 6;

/** Counted here and handed over when asked for: prom-client's own counting costs more than the rest of a record. */
const uncollected = { byClass: new Map<string, number>(), byError: new Map<string, number>(), seconds: 0 };

new Counter({
  name: 'router_requests_total',
  help: 'Finished requests by class of status',
  labelNames: ['class'],
  registers: [metrics],
  collect() {
    for (const [kind, n] of uncollected.byClass) this.inc({ class: kind }, n);
    uncollected.byClass.clear();
  },
});
new Counter({
  name: 'router_refused_total',
  help: 'Requests the router itself answered, by X-Cf-RouterError',
  labelNames: ['error'],
  registers: [metrics],
  collect() {
    for (const [error, n] of uncollected.byError) this.inc({ error }, n);
    uncollected.byError.clear();
  },
});
new Counter({
  name: 'router_request_seconds_total',
  help: 'From the first byte of a request to the last of its answer, summed',
  registers: [metrics],
  collect() {
    this.inc(uncollected.seconds);
    uncollected.seconds = 0;
  },
});
/** Routes in the table. */
export const routesGauge = new Gauge({ name: 'router_routes', help: 'Routes in the table', registers: [metrics] });

type Bucket = { readonly startMs: number; readonly byApp: Map<string, number>; total: number };

/** Counts of finished requests, as a router's status page shows them. */
export class Traffic {
  #requests = 0;
  #badRequests = 0;
  #badGateways = 0;
  readonly #byClass: Record<string, number> = { '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0, xxx: 0 };
  readonly #samples: number[] = [];
  #nextSample = 0;
  #buckets: Bucket[] = [];
  #rates: [number, number, number] = [0, 0, 0];
  #ratedMs = 0;
  #ratedRequests = 0;

  add(record: AccessRecord, nowMs: number): void {
    const kind = record.status >= 200 && record.status < 600 ? `${Math.floor(record.status / 100)}xx` : 'xxx';
    this.#requests += 1;
    this.#byClass[kind] = (this.#byClass[kind] ?? 0) + 1;
    if (record.routerError && record.status >= 400 && record.status < 500) this.#badRequests += 1;
    if (record.status === 502) this.#badGateways += 1;
    this.#samples[this.#nextSample++ % SAMPLES] = record.totalMs;
    const bucket = this.#bucketAt(nowMs);
    bucket.total += 1;
    if (record.app) count(bucket.byApp, record.app);
    count(uncollected.byClass, kind);
    uncollected.seconds += record.totalMs / 1000;
    if (record.routerError) count(uncollected.byError, record.routerError.slice(0, 40));
  }

  /** The traffic keys of `/varz`; latencies in seconds. */
  varz(nowMs: number): Record<string, unknown> {
    const recent = this.#recent(nowMs);
    const spanS = Math.max(1, (nowMs - (recent[0]?.startMs ?? nowMs)) / 1000);
    return {
      requests: this.#requests,
      requests_per_sec: recent.reduce((sum, { total }) => sum + total, 0) / spanS,
      bad_requests: this.#badRequests,
      bad_gateways: this.#badGateways,
      ...Object.fromEntries(Object.entries(this.#byClass).map(([kind, n]) => [`responses_${kind}`, n])),
      latency: this.#latency(),
      rate: this.#rate(nowMs),
      tags: { component: {}, framework: {}, runtime: {} },
      top10_app_requests: topApps(recent, spanS),
    };
  }

  #latency(): Record<string, number> {
    const sorted = [...this.#samples].sort((a, b) => a - b);
    const at = (p: number) => (sorted[Math.min(sorted.length - 1, Math.floor((p / 100) * sorted.length))] ?? 0) / 1000;
    const percentiles = Object.fromEntries([50, 75, 90, 95, 99].map((p) => [String(p), at(p)]));
    const mean = sorted.length === 0 ? 0 : sorted.reduce((sum, ms) => sum + ms, 0) / sorted.length / 1000;
    return { ...percentiles, value: mean, samples: sorted.length };
  }

  /** Requests a second, moving averages over 1, 5 and 15 minutes. */
  #rate(nowMs: number): readonly number[] {
    const elapsedS = (nowMs - this.#ratedMs) / 1000;
    if (this.#ratedMs !== 0 && elapsedS > 0) {
      const current = (this.#requests - this.#ratedRequests) / elapsedS;
      const blend = (before: number, minutes: number) => {
        const weight = 1 - Math.exp(-elapsedS / (60 * minutes));
        return before + weight * (current - before);
      };
      this.#rates = [blend(this.#rates[0], 1), blend(this.#rates[1], 5), blend(this.#rates[2], 15)];
    }
    this.#ratedMs = nowMs;
    this.#ratedRequests = this.#requests;
    return this.#rates;
  }

  #bucketAt(nowMs: number): Bucket {
    const last = this.#buckets.at(-1);
    if (last && nowMs - last.startMs < BUCKET_MS) return last;
    const bucket: Bucket = { startMs: nowMs, byApp: new Map(), total: 0 };
    this.#buckets = [...this.#buckets.slice(1 - BUCKETS), bucket];
    return bucket;
  }

  #recent(nowMs: number): Bucket[] {
    return this.#buckets.filter(({ startMs }) => nowMs - startMs < BUCKET_MS * BUCKETS);
  }
}

function count(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function topApps(buckets: readonly Bucket[], spanS: number): { application_id: string; rpm: number; rps: number }[] {
  const sums = new Map<string, number>();
  for (const { byApp } of buckets) for (const [app, n] of byApp) sums.set(app, (sums.get(app) ?? 0) + n);
  return [...sums]
    .sort(([, a], [, b]) => b - a)
    .slice(0, 10)
    .map(([application_id, n]) => ({ application_id, rpm: Math.round((n / spanS) * 60), rps: Math.round(n / spanS) }));
}
