/** A staged droplet of one app. */
export type KeptDroplet = { readonly guid: string; readonly createdAtMs: number };

/** Droplets whose content may go: all but the newest `kept` ones and those that are in use. */
export function expiredDroplets(
  droplets: readonly KeptDroplet[],
  options: { readonly kept: number; readonly inUse: ReadonlySet<string> },
): string[] {
  return droplets
    .toSorted((a, b) => b.createdAtMs - a.createdAtMs)
    .slice(options.kept)
    .filter(({ guid }) => !options.inUse.has(guid))
    .map(({ guid }) => guid);
}
