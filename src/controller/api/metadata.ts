import type { Static } from 'typebox';
import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';

const Values = Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()]));

/** Labels and annotations as they arrive; null removes one. */
export const MetadataPatch = Type.Object(
  { labels: Type.Optional(Values), annotations: Type.Optional(Values) },
  { additionalProperties: false },
);
export type MetadataPatch = Static<typeof MetadataPatch>;

/** Labels and annotations as they are answered. */
export const MetadataBody = Type.Object({
  labels: Type.Record(Type.String(), Type.String()),
  annotations: Type.Record(Type.String(), Type.String()),
});

type Labelled = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
};

const NAME = /^[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([\w.-]*[A-Za-z0-9])?)?$/;
const DNS = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/i;
const MAX_ANNOTATION = 5000;

/**
 * The columns to write for a metadata patch on what a row has now (nothing, for a new row); no columns for no patch.
 *
 * @throws PlatformError UnprocessableEntity for a key or value that labels or annotations can't have
 */
export function metadataColumns(
  patch: MetadataPatch | undefined,
  now: Labelled = { labels: {}, annotations: {} },
): { labels?: string; annotations?: string } {
  checkMetadata(patch);
  return {
    ...(patch?.labels ? { labels: JSON.stringify(merge(now.labels, patch.labels)) } : {}),
    ...(patch?.annotations ? { annotations: JSON.stringify(merge(now.annotations, patch.annotations)) } : {}),
  };
}

/** @throws PlatformError UnprocessableEntity for a key or value that labels or annotations can't have */
export function checkMetadata(patch: MetadataPatch | undefined): void {
  for (const [key, value] of Object.entries(patch?.labels ?? {})) {
    checkKey('label', key);
    if (value === null) continue;
    if (value.length > 63) fail(`label value '${value.slice(0, 8)}...' is greater than 63 characters`);
    if (!LABEL_VALUE.test(value)) fail(`label value '${value}' contains invalid characters or ends with one of '-_.'`);
  }
  for (const [key, value] of Object.entries(patch?.annotations ?? {})) {
    checkKey('annotation', key);
    if ((value?.length ?? 0) > MAX_ANNOTATION) fail(`annotation value of '${key}' is greater than 5000 characters`);
  }
}

/** Labels and annotations of a row, as the API answers them. */
export function presentMetadata(row: Labelled): { metadata: Labelled } {
  return { metadata: { labels: row.labels, annotations: row.annotations } };
}

function checkKey(kind: 'label' | 'annotation', key: string): void {
  const [prefix, name, ...more] = key.includes('/') ? key.split('/') : [undefined, key];
  if (more.length > 0) fail(`${kind} key '${key}' has more than one '/'`);
  if (prefix !== undefined && (prefix.length > 253 || !DNS.test(prefix))) {
    fail(`${kind} key prefix '${prefix}' must be a DNS name of at most 253 characters`);
  }
  if (!name) fail(`${kind} key cannot be an empty string`);
  if (name && name.length > 63) fail(`${kind} key '${name.slice(0, 8)}...' is greater than 63 characters`);
  if (name && !NAME.test(name)) fail(`${kind} key '${name}' contains invalid characters`);
}

function merge(now: Readonly<Record<string, string>>, patch: Readonly<Record<string, string | null>>) {
  return Object.fromEntries(Object.entries({ ...now, ...patch }).filter(([, value]) => value !== null));
}

function fail(detail: string): never {
  throw new PlatformError('UnprocessableEntity', `Metadata ${detail}`);
}
