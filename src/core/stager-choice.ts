import { resolveStack } from '../contract/stacks.ts';

/** What one stager last said of itself. MB. */
export type StagerOffer = {
  readonly id: string;
  readonly stacks: readonly string[];
  readonly memoryMb: number;
  /** Build guids being staged there. */
  readonly tasks: readonly string[];
  /** Epoch ms. */
  readonly heardAtMs: number;
};

/** A stager for a build, or what is missing, for people; `isAbsent` when there is none at all. */
export type StagerChoice = { readonly stager: StagerOffer } | { readonly missing: string; readonly isAbsent?: boolean };

/** How many of the roomiest stagers take part in the draw. */
const CANDIDATES = 5;

/** Chooses by lot among the five stagers with most memory that have enough of it and the stack. */
export function chooseStager(
  need: { readonly memoryMb: number; readonly stack: string; readonly except: ReadonlySet<string> },
  offers: readonly StagerOffer[],
  context: { readonly nowMs: number; readonly maxAgeMs: number; readonly pick: (n: number) => number },
): StagerChoice {
  const stack = resolveStack(need.stack);
  const alive = offers.filter(
    (offer) => offer.heardAtMs >= context.nowMs - context.maxAgeMs && !need.except.has(offer.id),
  );
  if (alive.length === 0) {
    const missing = need.except.size > 0 ? 'none accepted the build' : 'none has announced itself';
    return { missing: `${missing}; start one with \`kato start stager\``, isAbsent: true };
  }
  const stacked = alive.filter((offer) => offer.stacks.some((name) => resolveStack(name) === stack));
  if (stacked.length === 0) return { missing: `none offers the stack '${need.stack}'` };
  const roomy = stacked.filter((offer) => offer.memoryMb >= need.memoryMb);
  if (roomy.length === 0) {
    const most = Math.max(...stacked.map((offer) => offer.memoryMb));
    return {
      missing: `staging needs ${need.memoryMb} MB and the most any stager has free is ${most} MB; try again when other stagings have ended`,
    };
  }
  const best = roomy.toSorted((a, b) => b.memoryMb - a.memoryMb).slice(0, CANDIDATES);
  return { stager: best[context.pick(best.length)] ?? (best[0] as StagerOffer) };
}
