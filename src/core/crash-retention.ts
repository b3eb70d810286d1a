/** A crashed container that is kept for a look at its files and logs. */
export type KeptCrash = {
  readonly instance: string;
  readonly droplet: string;
  readonly index: number;
  /** Epoch ms. */
  readonly crashedAtMs: number;
  /** Bytes of its own on disk. */
  readonly diskBytes: number;
};

export type RetentionPolicy = { readonly keptMs: number; readonly budgetBytes: number };

/** Which crashed containers to remove, and why: the outdated, the old, and from the oldest on what exceeds the budget. */
export function crashesToRemove(
  kept: readonly KeptCrash[],
  nowMs: number,
  policy: RetentionPolicy,
): { instance: string; because: string }[] {
  const removals: { instance: string; because: string }[] = [];
  const newest = new Set<string>();
  let bytes = 0;
  for (const crash of kept.toSorted((a, b) => b.crashedAtMs - a.crashedAtMs)) {
    const place = `${crash.droplet}/${crash.index}`;
    let because: string | undefined;
    if (newest.has(place)) because = 'a newer crash at this index is kept';
    else if (nowMs - crash.crashedAtMs >= policy.keptMs) because = `kept for ${policy.keptMs / 1000} s`;
    else if (bytes + crash.diskBytes > policy.budgetBytes) because = 'the disk budget of crashed containers is used up';
    newest.add(place);
    if (because === undefined) bytes += crash.diskBytes;
    else removals.push({ instance: crash.instance, because });
  }
  return removals;
}
