import { parseSizeMb } from '../contract/units.ts';

/** A mistake in a manifest: where (keys and indices from the top) and what, in the API's own words. */
export type ManifestProblem = { readonly path: readonly (string | number)[]; readonly message: string };

/** Is this a map? */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

type Place = {
  /** Begins each message. */
  readonly subject: string;
  readonly path: readonly (string | number)[];
  readonly problems: ManifestProblem[];
};

/** Reads the keys of one map of a manifest, in hyphen or underscore form, and gathers what is wrong with them. */
export class ManifestReader {
  readonly #values: Readonly<Record<string, unknown>>;
  readonly #place: Place;

  constructor(values: Readonly<Record<string, unknown>>, place: Place) {
    this.#values = values;
    this.#place = place;
  }

  /** A reader of a map inside this one. */
  inside(values: Record<string, unknown>, prefix: string, path: readonly (string | number)[]): ManifestReader {
    const { subject, problems } = this.#place;
    return new ManifestReader(values, { subject: subject + prefix, path: [...this.#place.path, ...path], problems });
  }

  /** The value of a key; undefined when it is absent. */
  raw(key: string): unknown {
    const { [key]: hyphen, [key.replaceAll('-', '_')]: underscore } = this.#values;
    return hyphen === undefined ? underscore : hyphen;
  }

  complain(key: string, message: string, below: readonly (string | number)[] = []): void {
    const { subject, path, problems } = this.#place;
    const spelled = key in this.#values ? key : key.replaceAll('-', '_');
    problems.push({ path: [...path, spelled, ...below], message: subject + message });
  }

  text(key: string): string | undefined {
    const value = this.raw(key);
    if (value === undefined || value === null) return undefined;
    if (typeof value === 'string' || typeof value === 'number') return String(value);
    this.complain(key, `${label(key)} must be a string`);
    return undefined;
  }

  flag(key: string): boolean {
    const value = this.raw(key);
    if (value === undefined || value === null) return false;
    if (typeof value !== 'boolean') this.complain(key, `${label(key)} must be a boolean`);
    return value === true;
  }

  oneOf<T extends string>(key: string, allowed: readonly T[], name = label(key)): T | undefined {
    const value = this.raw(key);
    if (value === undefined || value === null) return undefined;
    const found = allowed.find((one) => one === value);
    if (found === undefined) this.complain(key, `${name} must be one of ${allowed.map((a) => `"${a}"`).join(', ')}`);
    return found;
  }

  list<T>(key: string, message: string, read: (item: unknown, index: number) => T | undefined): T[] {
    const value = this.raw(key);
    if (value === undefined || value === null) return [];
    if (!Array.isArray(value)) {
      this.complain(key, message);
      return [];
    }
    const items: T[] = [];
    for (const [index, item] of value.entries()) {
      const before = this.#place.problems.length;
      const result = read(item, index);
      if (result !== undefined) items.push(result);
      else if (this.#place.problems.length === before) this.complain(key, message, [index]);
    }
    return items;
  }

  record<T>(key: string, message: string, read: (value: unknown) => T): Record<string, T> {
    const value = this.raw(key);
    if (value === undefined || value === null) return {};
    if (!isRecord(value)) {
      this.complain(key, message);
      return {};
    }
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, read(item)]));
  }

  number<K extends string>(key: string, as: K, name: string, least: number): { [P in K]?: number } {
    const value = this.raw(key);
    if (value === undefined || value === null) return {};
    const count = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
    if (typeof count !== 'number' || !Number.isSafeInteger(count)) this.complain(key, `${name} is not a number`);
    else if (count < least) this.complain(key, `${name} must be greater than or equal to ${least}`);
    else if (count > 2_147_483_647) this.complain(key, `${name} must be less than or equal to 2147483647`);
    else return { [as]: count } as { [P in K]?: number };
    return {};
  }

  size<K extends string>(key: string, as: K, name: string): { [P in K]?: number } {
    const value = this.raw(key);
    if (value === undefined || value === null) return {};
    const mb = typeof value === 'string' ? parseSizeMb(value) : undefined;
    if (mb !== undefined && mb <= 2_147_483_647) return { [as]: mb } as { [P in K]?: number };
    const isUnitMissing = mb === undefined && !(typeof value === 'string' && /^\s*0+\s*[kmgt]?b?\s*$/i.test(value));
    this.complain(
      key,
      isUnitMissing
        ? `${name} must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB`
        : `${name} must be greater than 0MB`,
    );
    return {};
  }

  /** Bytes a second; -1 is unlimited. */
  logRate(key: string): { logRateBytesS?: number } {
    const value = this.raw(key);
    if (value === undefined || value === null) return {};
    if (value === -1 || value === '-1') return { logRateBytesS: -1 };
    if (value === 0 || value === '0') return { logRateBytesS: 0 };
    const match = typeof value === 'string' ? /^\s*(\d+)\s*([kmgt]?)b?\s*$/i.exec(value) : null;
    if (!match?.[1] || /^\s*\d+\s*$/.test(String(value))) {
      this.complain(key, 'Log rate limit per second must use a supported unit: B, K, KB, M, MB, G, GB, T, or TB');
      return {};
    }
    return { logRateBytesS: Number(match[1]) * 1024 ** 'bkmgt'.indexOf((match[2] || 'b').toLowerCase()) };
  }

  optional<K extends string, T>(as: K, value: T | undefined): { [P in K]?: T } {
    return value === undefined ? {} : ({ [as]: value } as { [P in K]?: T });
  }
}

/** `no-route` → `No-route`, `stack` → `Stack`. */
function label(key: string): string {
  return key.charAt(0).toUpperCase() + key.slice(1);
}
