import { PlatformError } from '../../contract/errors.ts';
import { type LabelRequirement, parseLabelSelector } from './label-selector.ts';

/** Which query parameters a route takes. */
export type QuerySpec<F extends string = string> = {
  /** Names of filters and options besides those that every list has. */
  readonly params?: readonly F[];
  /** A paginated list; `order` names what `order_by` may say, the first one being the default. */
  readonly list?: { readonly order: readonly string[]; readonly isLabelled?: boolean };
  /** What `include` may name. */
  readonly include?: readonly string[];
};

export type TimeRequirement = {
  readonly column: 'created_at' | 'updated_at';
  readonly operator: '=' | '<' | '<=' | '>' | '>=';
  readonly at: Date;
};

/** The query of a request, read by its route's spec. */
export type Query<F extends string = string> = {
  readonly page: number;
  readonly perPage: number;
  readonly order: { readonly field: string; readonly isDescending: boolean };
  readonly labels: readonly LabelRequirement[];
  readonly times: readonly TimeRequirement[];
  readonly include: readonly string[];
  /** The values of a parameter, comma-separated ones apart; undefined when it was not sent, `['']` when sent empty. */
  values(name: F | 'guids'): readonly string[] | undefined;
  /** Everything sent, for the hrefs of other pages. */
  readonly pairs: readonly (readonly [string, string])[];
};

const LIST_PARAMS = ['page', 'per_page', 'order_by', 'guids', 'created_ats', 'updated_ats'] as const;
const OPERATORS: Readonly<Record<string, TimeRequirement['operator']>> = {
  '': '=',
  '[lt]': '<',
  '[lte]': '<=',
  '[gt]': '>',
  '[gte]': '>=',
};
const TIME = /^(created_ats|updated_ats)(\[(?:lt|lte|gt|gte)\])?$/;
const MAX_PER_PAGE = 5000;

/** Every parameter name a route takes, for its documentation and for errors. */
export function queryNames(spec: QuerySpec): string[] {
  return [
    ...(spec.list ? LIST_PARAMS : []),
    ...(spec.list?.isLabelled ? ['label_selector'] : []),
    ...(spec.include ? ['include'] : []),
    ...(spec.params ?? []),
  ];
}

/**
 * Reads the query of a URL: decoded once, split at commas, each element decoded again.
 *
 * @throws PlatformError BadQueryParameter for an unknown name or a value out of range
 */
export function parseQuery<F extends string>(spec: QuerySpec<F>, url: string): Query<F> {
  const start = url.indexOf('?');
  const pairs = start < 0 ? [] : [...new URLSearchParams(url.slice(start + 1))];
  const names = queryNames(spec);
  const unknown = pairs
    .map(([name]) => name)
    .filter((name) => !names.includes(name) && !(spec.list && TIME.test(name)));
  if (unknown.length > 0) {
    const list = [...new Set(unknown)].map((name) => `'${name}'`).join(', ');
    fail(`Unknown query parameter(s): ${list}. Valid parameters are: ${names.map((name) => `'${name}'`).join(', ')}`);
  }
  const last = (name: string) => pairs.findLast(([key]) => key === name)?.[1];
  const values = (name: string) => {
    const sent = pairs.filter(([key]) => key === name);
    return sent.length === 0 ? undefined : sent.flatMap(([, value]) => value.split(',').map(decodeOnce));
  };
  const selector = last('label_selector');
  return {
    page: parseCount('page', last('page'), { fallback: 1, max: Number.MAX_SAFE_INTEGER }),
    perPage: parseCount('per_page', last('per_page'), { fallback: 50, max: MAX_PER_PAGE }),
    order: parseOrder(spec, last('order_by')),
    labels: selector === undefined ? [] : parseLabelSelector(selector),
    times: pairs.flatMap(([name, value]) => parseTimes(name, value)),
    include: parseInclude(spec, values('include')),
    values,
    pairs,
  };
}

/** `true`/`false` of a flag such as `recursive`; undefined when it was not sent. */
export function flagOf<F extends string>(query: Query<F>, name: F): boolean | undefined {
  const value = query.values(name)?.[0];
  if (value === undefined) return undefined;
  if (value !== 'true' && value !== 'false') fail(`${name} must be 'true' or 'false'`);
  return value === 'true';
}

function parseCount(name: string, text: string | undefined, range: { fallback: number; max: number }): number {
  if (text === undefined) return range.fallback;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : 0;
  if (value < 1) fail(`${titled(name)} must be greater than or equal to 1`);
  if (value > range.max) fail(`${titled(name)} must be less than or equal to ${range.max}`);
  return value;
}

function parseOrder(spec: QuerySpec, text: string | undefined): Query['order'] {
  const allowed = spec.list?.order ?? ['created_at'];
  const isDescending = text?.startsWith('-') ?? false;
  const field = text?.replace(/^[+\s-]/, '') ?? allowed[0] ?? 'created_at';
  if (!allowed.includes(field)) fail(`Order by can only be: ${allowed.map((name) => `'${name}'`).join(', ')}`);
  return { field, isDescending };
}

function parseInclude(spec: QuerySpec, values: readonly string[] | undefined): readonly string[] {
  const unknown = values?.filter((value) => !spec.include?.includes(value)) ?? [];
  if (unknown.length > 0) {
    fail(
      `Invalid included resource: '${unknown.join("', '")}'. Valid included resources are: '${spec.include?.join("', '")}'`,
    );
  }
  return [...new Set(values)];
}

function parseTimes(name: string, value: string): TimeRequirement[] {
  const match = TIME.exec(name);
  if (!match) return [];
  const column = match[1] === 'created_ats' ? 'created_at' : 'updated_at';
  return value.split(',').map((text) => {
    const at = new Date(text);
    if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) || Number.isNaN(at.getTime())) {
      fail(`${titled(name)} has an invalid timestamp format. Timestamps should be formatted as 'YYYY-MM-DDThh:mm:ssZ'`);
    }
    return { column, operator: OPERATORS[match[2] ?? ''] ?? '=', at };
  });
}

function decodeOnce(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch (error) {
    // A name may hold a percent sign that starts no escape: it then stands for itself.
    if (error instanceof URIError) return text;
    throw error;
  }
}

function titled(name: string): string {
  const words = name.replaceAll('_', ' ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function fail(detail: string): never {
  throw new PlatformError('BadQueryParameter', detail);
}
