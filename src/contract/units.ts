const FACTOR_MB: Readonly<Record<string, number>> = {
  B: 1 / 1_048_576,
  K: 1 / 1024,
  KB: 1 / 1024,
  M: 1,
  MB: 1,
  G: 1024,
  GB: 1024,
  T: 1_048_576,
  TB: 1_048_576,
};

/**
 * Parses a size such as `256M`, `1G` or `1.5GB` (units B K KB M MB G GB T TB, any case; a unit is required).
 *
 * @returns whole MB, rounded down, at least 1; or undefined when the text is not a size
 */
export function parseSizeMb(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?b?)\s*$/i.exec(text);
  const factor = FACTOR_MB[match?.[2]?.toUpperCase() ?? ''];
  if (!match?.[1] || factor === undefined) return undefined;
  const mb = Math.floor(Number(match[1]) * factor);
  return mb >= 1 && Number.isSafeInteger(mb) ? mb : undefined;
}

/** Prints MB as people write them: `512M`, `1G`, `1.5G`. */
export function formatMb(mb: number): string {
  if (mb < 1024) return `${mb}M`;
  const gb = mb / 1024;
  return `${Number.isInteger(gb) ? gb : gb.toFixed(1)}G`;
}

/** Prints bytes with a unit: `0B`, `512B`, `1.5K`, `20.3M`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)}${units[unit]}`;
}
