type Settings = Record<string, unknown>;

/** Whole sections and single settings that belong to the machines rather than to the platform. */
const OF_THE_MACHINES = /^(blobs|link|bus|primary|backup)$/;
const OF_A_MACHINE: Readonly<Record<string, RegExp>> = {
  cluster: /^domain$/,
  fence: /^(storeMb|network|runtime)$/,
  staging: /^caFile$/,
};

/**
 * The settings of a platform after the data of another one was taken over: theirs, but for those that belong to the
 * machines: domain, ports, and where things are kept.
 *
 * @param theirs, ours as stored: defaults are left out
 */
export function importedSettings(theirs: unknown, ours: unknown): Settings {
  const [from, to] = [recordOf(theirs), recordOf(ours)];
  const merged: Settings = {};
  for (const section of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const isOurs = (key: string) =>
      OF_THE_MACHINES.test(section) || /port$/i.test(key) || (OF_A_MACHINE[section]?.test(key) ?? false);
    const kept = Object.entries(recordOf(to[section])).filter(([key]) => isOurs(key));
    const taken = Object.entries(recordOf(from[section])).filter(([key]) => !isOurs(key));
    const settings = Object.fromEntries([...taken, ...kept]);
    if (Object.keys(settings).length > 0) merged[section] = settings;
  }
  return merged;
}

/** Is this version later than that one? Numbers apart from dots; anything else counts as 0. */
export function isLaterVersion(version: string, than: string): boolean {
  const [a, b] = [numbersOf(version), numbersOf(than)];
  for (let at = 0; at < Math.max(a.length, b.length); at += 1) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}

function numbersOf(version: string): number[] {
  return version.split('.').map((part) => Number.parseInt(part, 10) || 0);
}

function recordOf(value: unknown): Settings {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Settings) : {};
}

/**
 * What an import would cost the platform that is here, in words that follow `it has`; undefined for one nobody used.
 * @param left addresses of nodes that would have no Core any more
 */
export function lossesOf(
  { users, apps }: { users: number; apps: number },
  left: readonly string[],
): string | undefined {
  if (users <= 1 && apps === 0 && left.length === 0) return undefined;
  const some = (count: number, one: string) => `${count} ${one}${count === 1 ? '' : 's'}`;
  const nodes = `, and ${some(left.length, 'other node')} (${left.join(', ')}), which would be left without a Core`;
  return `${some(apps, 'app')} and ${some(users, 'user')}, which would be replaced${left.length === 0 ? '' : nodes}`;
}
