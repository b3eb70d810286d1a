/** One setting that differs between two configurations. */
export type ConfigDifference = { readonly path: string; readonly before: unknown; readonly after: unknown };

/** Every setting that differs, by its path; lists count as one value. */
export function diffConfig(before: unknown, after: unknown, path = ''): ConfigDifference[] {
  if (!isRecord(before) || !isRecord(after)) {
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ path, before, after }];
  }
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return keys.flatMap((key) => diffConfig(before[key], after[key], path === '' ? key : `${path}.${key}`));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
