import { type SettingSchema, settingFault } from './setting-type.ts';
import { closest } from './spelling.ts';

/** What becomes of a setting: `push` and `pop` are for lists, and without a value `set` restores the default. */
export type SettingChange = {
  readonly path: string;
  readonly action?: 'set' | 'push' | 'pop';
  readonly value?: unknown;
};

type Refused = { readonly refused: string };

/** The place of a setting, its schema, and the name that errors use. */
export type Setting = { readonly keys: readonly string[]; readonly schema: SettingSchema };

/**
 * A configuration with one setting changed, or why that can't be.
 *
 * @param schema the configuration's schema
 * @param change `path` is `section.key`; keys below an object may follow, as in `staging.environment.HTTP_PROXY`
 */
export function changeSetting(
  schema: SettingSchema,
  config: unknown,
  change: SettingChange,
): { config: Record<string, unknown> } | Refused {
  const setting = findSetting(schema, change.path);
  if ('refused' in setting) return setting;
  const value =
    change.action === 'push' || change.action === 'pop' ? changeList(setting, config, change) : { value: change.value };
  if ('refused' in value) return value;
  if (value.value !== undefined) {
    const fault = settingFault(change.path, setting.schema, value.value);
    if (fault !== undefined) return { refused: fault };
  }
  return { config: put(config, setting.keys, value.value) };
}

/** Finds a setting by its path, or says what there is instead. */
export function findSetting(schema: SettingSchema, path: string): Setting | Refused {
  const [section = '', key = '', ...below] = path.split('.');
  const sections = schema.properties ?? {};
  const settings = own(sections, section)?.properties;
  if (settings === undefined) {
    return { refused: `there is no section '${section}'${hint(section, sections)}; sections: ${listOf(sections)}` };
  }
  const setting = own(settings, key);
  if (setting === undefined) {
    const near = hint(key, settings, `${section}.`);
    return { refused: `there is no setting '${section}.${key}'${near}; in ${section}: ${listOf(settings)}` };
  }
  if (below.length === 0) return { keys: [section, key], schema: setting };
  if (setting.type !== 'object') return { refused: `'${section}.${key}' has nothing below it` };
  const name = below.join('.');
  if (name === '' || name === '__proto__') return { refused: `'${path}' is no setting` };
  const keys = [section, key, name];
  if (setting.properties === undefined) return { keys, schema: { type: 'string' } };
  const inner = own(setting.properties, name);
  if (inner !== undefined) return { keys, schema: inner };
  const near = hint(name, setting.properties, `${section}.${key}.`);
  return {
    refused: `there is no setting '${path}'${near}; in ${section}.${key}: ${listOf(setting.properties)}`,
  };
}

/** The value of a setting in a configuration; undefined when it is not there. */
export function readSetting(config: unknown, keys: readonly string[]): unknown {
  let value = config;
  for (const key of keys) value = isRecord(value) && Object.hasOwn(value, key) ? value[key] : undefined;
  return value;
}

function changeList(setting: Setting, config: unknown, change: SettingChange): { value: unknown } | Refused {
  const { path, action, value } = change;
  if (setting.schema.type !== 'array') {
    return { refused: `${path} is no list: push and pop are for lists, kato config set for all else` };
  }
  const stored = readSetting(config, setting.keys) ?? (setting.schema as { default?: unknown }).default ?? [];
  const list = Array.isArray(stored) ? stored : [];
  const isSame = (one: unknown) => JSON.stringify(one) === JSON.stringify(value);
  if (action === 'push') {
    const fault = settingFault(`each value of ${path}`, setting.schema.items ?? {}, value);
    if (fault !== undefined) return { refused: fault };
    return list.some(isSame)
      ? { refused: `${path} has ${JSON.stringify(value)} already` }
      : { value: [...list, value] };
  }
  if (list.length === 0) return { refused: `${path} is empty` };
  if (value === undefined) return { value: list.slice(0, -1) };
  if (!list.some(isSame)) return { refused: `${path} has no ${JSON.stringify(value)}; it has ${JSON.stringify(list)}` };
  return { value: list.filter((one) => !isSame(one)) };
}

function put(config: unknown, path: readonly string[], value: unknown): Record<string, unknown> {
  const copy: Record<string, unknown> = isRecord(config) ? { ...config } : {};
  const [head = '', ...rest] = path;
  if (rest.length > 0) copy[head] = put(copy[head], rest, value);
  else if (value === undefined) delete copy[head];
  else copy[head] = value;
  return copy;
}

function own(record: Readonly<Record<string, SettingSchema>>, key: string): SettingSchema | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function listOf(record: object): string {
  return Object.keys(record).join(', ');
}

function hint(word: string, known: object, before = ''): string {
  const meant = closest(word, Object.keys(known));
  return meant === undefined ? '' : `; did you mean ${before}${meant}?`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
