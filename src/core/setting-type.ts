/** A setting's schema, as far as these rules read it. */
export type SettingSchema = {
  readonly type?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  /** What it takes, in words, where its pattern says it to machines only. */
  readonly title?: string;
  readonly items?: SettingSchema;
  readonly properties?: Readonly<Record<string, SettingSchema>>;
  readonly description?: string;
};

/**
 * The value that a text stands for: text settings take it as it is, all others as JSON.
 *
 * @returns the text itself where it can't be such a value; `settingFault` then says why
 */
export function readSettingText(schema: SettingSchema, text: string): unknown {
  if (schema.type === 'string') return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return text;
    throw error;
  }
}

/** Why a value is none for this setting: what it takes, and what was given. Undefined when it fits. */
export function settingFault(path: string, schema: SettingSchema, value: unknown): string | undefined {
  if (fits(schema, value)) return undefined;
  const given = typeof value === 'string' ? `'${value}'` : JSON.stringify(value);
  return `${path} takes ${describeSettingType(schema)}, not ${shorten(given)}`;
}

/** What a setting takes, for people: `a whole number from 1 to 65535`, `folder or s3`, `a list of texts`. */
export function describeSettingType(schema: SettingSchema): string {
  const { type, items } = schema;
  if (type === 'integer') return `a whole number${rangeText(schema)}`;
  if (type === 'number') return `a number${rangeText(schema)}`;
  if (type === 'boolean') return 'true or false';
  if (type === 'array') return `a list (JSON), each ${describeSettingType(items ?? {})}`;
  if (type === 'object') return 'names and values (JSON), or one with its name after a dot';
  if (schema.title !== undefined) return schema.title;
  const words = wordsOf(schema.pattern);
  if (words !== undefined) return words.join(' or ');
  if (schema.pattern !== undefined) return `a text such as ${schema.pattern} allows`;
  return schema.minLength === undefined ? 'a text' : 'a text that is not empty';
}

function fits(schema: SettingSchema, value: unknown): boolean {
  const { type, minimum = -Infinity, maximum = Infinity } = schema;
  if (type === 'integer' || type === 'number') {
    if (typeof value !== 'number' || !Number.isFinite(value)) return false;
    return value >= minimum && value <= maximum && (type === 'number' || Number.isSafeInteger(value));
  }
  if (type === 'boolean') return typeof value === 'boolean';
  if (type === 'string') {
    if (typeof value !== 'string' || /\p{Cc}/u.test(value)) return false;
    return value.length >= (schema.minLength ?? 0) && new RegExp(schema.pattern ?? '').test(value);
  }
  if (type === 'array') return Array.isArray(value) && value.every((one) => fits(schema.items ?? {}, one));
  if (type === 'object') return fitsObject(schema, value);
  return true;
}

/** With named properties only those; else a record of texts. */
function fitsObject({ properties }: SettingSchema, value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  return Object.entries(value).every(([key, one]) => {
    if (properties === undefined) return typeof one === 'string';
    const schema = Object.hasOwn(properties, key) ? properties[key] : undefined;
    return schema !== undefined && fits(schema, one);
  });
}

function rangeText({ minimum, maximum }: SettingSchema): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`;
  return minimum === undefined ? '' : `, ${minimum} or more`;
}

/** The words of a pattern that is a plain choice, such as `^(folder|s3)$`. */
function wordsOf(pattern: string | undefined): string[] | undefined {
  const [, choice] = /^\^\(([\w.|\\]+)\)\$$/.exec(pattern ?? '') ?? [];
  return choice?.split('|').map((word) => word.replaceAll('\\', ''));
}

function shorten(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
