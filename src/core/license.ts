const MOST_ENTRIES = 50;
const LONGEST_BYTES = 16_384;

/** What a licence says, by name: each in one line. */
export type License = Readonly<Record<string, string>>;

/**
 * A licence from what its file holds: names and values, or a text, which is kept as `text`.
 *
 * @param content the file as JSON or YAML reads it
 */
export function readLicense(content: unknown): { readonly license: License } | { readonly refused: string } {
  const entries = isRecord(content) ? Object.entries(content) : [['text', content] as const];
  const license: Record<string, string> = {};
  for (const [name, value] of entries) {
    if (!/^[A-Za-z0-9][A-Za-z0-9 _-]{0,63}$/.test(name)) return { refused: `'${name}' is no name for a value` };
    license[name] = (typeof value === 'string' ? value : JSON.stringify(value ?? ''))
      .replace(/[\s\p{Cc}]+/gu, ' ')
      .trim();
  }
  if (Object.values(license).every((value) => value === '' || value === '""')) return { refused: 'it says nothing' };
  if (entries.length > MOST_ENTRIES)
    return { refused: `it has ${entries.length} values, and at most ${MOST_ENTRIES} are kept` };
  const bytes = Buffer.byteLength(JSON.stringify(license));
  return bytes > LONGEST_BYTES
    ? { refused: `it has ${bytes} bytes, and at most ${LONGEST_BYTES} are kept` }
    : { license };
}

/** The licence in one line. */
export function licenseInWords(license: License): string {
  const said = Object.entries(license).map(([name, value]) => `${name} ${value.slice(0, 60)}`);
  return said.length === 0 ? 'none is set; none is needed' : said.slice(0, 4).join(', ');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
