type Schema = { readonly properties?: Readonly<Record<string, Schema>>; readonly type?: unknown };

/**
 * A configuration with one setting changed, or why that can't be. Without a value the setting goes back to its default.
 *
 * @param schema the configuration's schema
 * @param path `section.key`; keys below a record setting may follow, as in `staging.environment.HTTP_PROXY`
 */
export function changeSetting(
  schema: Schema,
  config: unknown,
  change: { path: string; value?: unknown },
): { config: Record<string, unknown> } | { refused: string } {
  const [section = '', key = '', ...below] = change.path.split('.');
  const sections = schema.properties ?? {};
  const settings = sections[section]?.properties;
  if (settings === undefined)
    return { refused: `there is no section '${section}'; sections: ${Object.keys(sections).join(', ')}` };
  const setting = settings[key];
  if (setting === undefined) {
    return { refused: `there is no setting '${section}.${key}'; in ${section}: ${Object.keys(settings).join(', ')}` };
  }
  if (below.length > 0 && setting.type !== 'object') return { refused: `'${section}.${key}' has nothing below it` };
  if ([section, key, ...below].some((word) => word === '__proto__'))
    return { refused: `'${change.path}' is no setting` };
  return { config: put(config, [section, key, ...(below.length > 0 ? [below.join('.')] : [])], change.value) };
}

function put(config: unknown, path: readonly string[], value: unknown): Record<string, unknown> {
  const copy: Record<string, unknown> = isRecord(config) ? { ...config } : {};
  const [head = '', ...rest] = path;
  if (rest.length > 0) copy[head] = put(copy[head], rest, value);
  else if (value === undefined) delete copy[head];
  else copy[head] = value;
  return copy;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
