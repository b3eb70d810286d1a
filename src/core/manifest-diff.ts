import { parseSizeMb } from '../contract/units.ts';
import { isRecord } from './manifest-reader.ts';

/** One difference between an app and a manifest, in the form of `manifest_diff`. */
export type ManifestDifference = {
  readonly op: 'add' | 'remove' | 'replace';
  readonly path: string;
  readonly was?: unknown;
  readonly value?: unknown;
};

/**
 * What applying a manifest's application would change. Both sides in manifest form with hyphen keys; keys that the
 * manifest does not name stay as they are, so they make no difference.
 *
 * @param existing the app as a manifest would say it; undefined when it does not exist yet
 */
export function diffApplication(
  existing: Readonly<Record<string, unknown>> | undefined,
  wanted: Readonly<Record<string, unknown>>,
  index: number,
): ManifestDifference[] {
  const top = `/applications/${index}`;
  const normal = Object.fromEntries(Object.entries(wanted).map(([key, value]) => [key.replaceAll('_', '-'), value]));
  if (!existing) {
    const hidden = new Set(['memory', 'disk-quota']);
    return Object.entries(normal).flatMap(([key, value]) =>
      hidden.has(key) || value === undefined ? [] : [{ op: 'add' as const, path: `${top}/${key}`, value }],
    );
  }
  return Object.entries(normal).flatMap(([key, value]) =>
    diffValue(existing[key], value, { key, path: `${top}/${key}` }),
  );
}

type Place = { readonly key: string; readonly path: string };

function diffValue(was: unknown, value: unknown, { key, path }: Place): ManifestDifference[] {
  if (value === undefined || isEqual(key, was, value)) return [];
  if (was === undefined || was === null) return [{ op: 'add', path, value }];
  if (value === null) return [{ op: 'remove', path, was }];
  if (isRecord(was) && isRecord(value)) {
    return Object.entries(value).flatMap(([name, item]) =>
      diffValue(was[name], item, { key: name, path: `${path}/${name}` }),
    );
  }
  if (Array.isArray(was) && Array.isArray(value) && isAdditive(key)) return diffList(was, value, { key, path });
  return [{ op: 'replace', path, was, value }];
}

const isAdditive = (key: string) => key === 'routes' || key === 'services' || key === 'processes' || key === 'sidecars';

function diffList(was: readonly unknown[], value: readonly unknown[], { path }: Place): ManifestDifference[] {
  return value.flatMap((item, index) => {
    const old = was.find((candidate) => identity(candidate) === identity(item));
    const at = `${path}/${index}`;
    if (old === undefined) return [{ op: 'add' as const, path: at, value: item }];
    if (!isRecord(old) || !isRecord(item)) return [];
    return Object.entries(item).flatMap(([name, child]) => {
      const hyphen = name.replaceAll('_', '-');
      return diffValue(old[hyphen] ?? old[name], child, { key: hyphen, path: `${at}/${name}` });
    });
  });
}

function identity(item: unknown): string {
  if (!isRecord(item)) return String(item);
  return String(item.type ?? item.route ?? item.name);
}

function isEqual(key: string, was: unknown, value: unknown): boolean {
  if (was === value) return true;
  if ((key === 'memory' || key === 'disk-quota') && typeof was === 'string' && typeof value === 'string') {
    return parseSizeMb(was) === parseSizeMb(value);
  }
  if (typeof was !== 'object' && typeof value !== 'object') return String(was) === String(value);
  return JSON.stringify(was) === JSON.stringify(value);
}
