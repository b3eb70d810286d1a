import { resolveStack } from '../contract/stacks.ts';

/** What one DEA last said of itself, less what was placed on it since. MB. */
export type DeaOffer = {
  readonly id: string;
  /** Where it stands; the instances of an app are spread over these. */
  readonly availabilityZone: string;
  /** Which apps it takes: those of these placement zones and no others. */
  readonly placementZones: readonly string[];
  readonly stacks: readonly string[];
  readonly memoryMb: number;
  readonly diskMb: number;
  /** Process guid → instances. */
  readonly instances: ReadonlyMap<string, number>;
  /** Epoch ms. */
  readonly heardAtMs: number;
};

/** What one instance needs of a DEA. */
export type InstanceNeed = {
  readonly process: string;
  readonly memoryMb: number;
  readonly diskMb: number;
  readonly stack: string;
  /** Only DEAs of this placement zone; none = `default`. */
  readonly placementZone?: string;
};

/** The placement zone of DEAs that were given none, and of apps that ask for none. */
export const defaultPlacementZone = 'default';

/** The label of an app that names its placement zone. */
export const placementZoneLabel = 'stackato/placement-zone';

/** Why a DEA can't take an instance. */
export type Rejection = 'no-dea' | 'silent' | 'stack' | 'zone' | 'disk' | 'memory';

/** Where an instance goes, or the reasons that hold for every DEA (empty when each has another one). */
export type Placement =
  | { readonly dea: DeaOffer; readonly because: string }
  | { readonly rejected: ReadonlySet<Rejection> };

/** Circumstances of a decision: now, how old an offer may be (ms), and a draw of a number below n. */
export type PlacementContext = {
  readonly nowMs: number;
  readonly maxAgeMs: number;
  readonly pick: (n: number) => number;
};

/**
 * Chooses a DEA for one instance: enough memory and disk, the stack, the placement zone, the availability zone with fewest instances of the app, the
 * DEA with fewest, the upper half by free memory, then by lot.
 */
export function placeInstance(
  need: InstanceNeed,
  offers: readonly DeaOffer[],
  { nowMs, maxAgeMs, pick }: PlacementContext,
): Placement {
  const stack = resolveStack(need.stack);
  const oldestMs = nowMs - maxAgeMs;
  const fit = offers.filter((offer) => isFit(offer, need, { stack, oldestMs }));
  if (fit.length === 0) return { rejected: commonReasons(offers, need, { stack, oldestMs }) };
  const spread = fewestOnDea(fewestInZone(fit, offers, need.process), need.process);
  const roomy = upperHalf(spread);
  const dea = roomy[pick(roomy.length)] ?? (roomy[0] as DeaOffer);
  return { dea, because: `${fit.length} of ${offers.length} DEAs can take it, ${roomy.length} equally well` };
}

/** Counts an instance that was just placed, so that a burst does not pile onto one DEA. */
export function afterPlacement(offer: DeaOffer, need: InstanceNeed): DeaOffer {
  return {
    ...offer,
    memoryMb: offer.memoryMb - need.memoryMb,
    diskMb: offer.diskMb - need.diskMb,
    instances: new Map(offer.instances).set(need.process, (offer.instances.get(need.process) ?? 0) + 1),
  };
}

/** The words shown in an instance's details when it can't be placed. */
export function formatRejection(
  rejected: ReadonlySet<Rejection>,
  { placementZone = defaultPlacementZone }: Pick<InstanceNeed, 'placementZone'> = {},
): string {
  if (rejected.has('no-dea') || rejected.has('silent')) return 'no DEA is available';
  if (rejected.has('stack')) return 'no DEA offers the stack';
  if (rejected.has('zone')) return `no DEA is in the placement zone '${placementZone}'`;
  const scarce = (['memory', 'disk'] as const).filter((reason) => rejected.has(reason));
  return `insufficient resources: ${scarce.length > 0 ? scarce.join(', ') : 'no DEA has enough of everything'}`;
}

type Bounds = { readonly stack: string; readonly oldestMs: number };

function isFit(offer: DeaOffer, need: InstanceNeed, { stack, oldestMs }: Bounds): boolean {
  return (
    offer.memoryMb >= need.memoryMb &&
    offer.diskMb >= need.diskMb &&
    offer.heardAtMs >= oldestMs &&
    offer.placementZones.includes(need.placementZone ?? defaultPlacementZone) &&
    offersStack(offer, stack)
  );
}

function offersStack(offer: DeaOffer, stack: string): boolean {
  for (const name of offer.stacks) if (name === stack || resolveStack(name) === stack) return true;
  return false;
}

function commonReasons(offers: readonly DeaOffer[], need: InstanceNeed, { stack, oldestMs }: Bounds): Set<Rejection> {
  if (offers.length === 0) return new Set(['no-dea']);
  let common = new Set<Rejection>(['silent', 'stack', 'zone', 'disk', 'memory']);
  for (const offer of offers) {
    const own = new Set<Rejection>();
    if (offer.heardAtMs < oldestMs) own.add('silent');
    if (!offersStack(offer, stack)) own.add('stack');
    if (!offer.placementZones.includes(need.placementZone ?? defaultPlacementZone)) own.add('zone');
    if (offer.diskMb < need.diskMb) own.add('disk');
    if (offer.memoryMb < need.memoryMb) own.add('memory');
    common = common.intersection(own);
  }
  return common;
}

/** Zones are counted over all offers, also those that can't take the instance. */
function fewestInZone(fit: readonly DeaOffer[], offers: readonly DeaOffer[], process: string): readonly DeaOffer[] {
  const counts = new Map<string, number>();
  for (const { availabilityZone } of fit) counts.set(availabilityZone, 0);
  if (counts.size === 1) return fit;
  for (const { availabilityZone, instances } of offers) {
    const count = instances.get(process);
    const before = count === undefined ? undefined : counts.get(availabilityZone);
    if (count !== undefined && before !== undefined) counts.set(availabilityZone, before + count);
  }
  const least = Math.min(...counts.values());
  const zones = new Set([...counts].filter(([, count]) => count === least).map(([zone]) => zone));
  return zones.size === counts.size ? fit : fit.filter(({ availabilityZone }) => zones.has(availabilityZone));
}

function fewestOnDea(fit: readonly DeaOffer[], process: string): readonly DeaOffer[] {
  let least = Number.POSITIVE_INFINITY;
  let best: DeaOffer[] = [];
  for (const offer of fit) {
    const count = offer.instances.get(process) ?? 0;
    if (count > least) continue;
    if (count < least) best = [];
    least = count;
    best.push(offer);
  }
  return best;
}

function upperHalf(offers: readonly DeaOffer[]): readonly DeaOffer[] {
  const sorted = new Int32Array(offers.length);
  for (let i = 0; i < offers.length; i++) sorted[i] = offers[i]?.memoryMb ?? 0;
  const least = sorted.sort()[Math.floor(sorted.length / 2)] ?? 0;
  return offers.filter((offer) => offer.memoryMb >= least);
}
