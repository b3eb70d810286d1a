import { PlatformError } from '../contract/errors.ts';
import { environmentProblem } from '../core/env-variable.ts';
import type { SecretBox } from '../platform/secret-box.ts';

/** The variables in a sealed column; none when it is empty. */
export function openEnvironment(box: SecretBox, sealed: string | null | undefined): Record<string, unknown> {
  return sealed === null || sealed === undefined ? {} : (JSON.parse(box.open(sealed)) as Record<string, unknown>);
}

/** Variables as they are kept; null for none. */
export function sealEnvironment(box: SecretBox, variables: Readonly<Record<string, unknown>>): string | null {
  return Object.keys(variables).length === 0 ? null : box.seal(JSON.stringify(variables));
}

/** Variables after a patch: null removes one. @throws PlatformError 422 when they would be too large together */
export function mergeEnvironment(
  now: Readonly<Record<string, unknown>>,
  patch: Readonly<Record<string, string | null>>,
): Record<string, unknown> {
  const merged = Object.fromEntries(Object.entries({ ...now, ...patch }).filter(([, value]) => value !== null));
  const wrong = environmentProblem(merged);
  if (wrong !== undefined) throw new PlatformError('UnprocessableEntity', `Environment variables ${wrong}`);
  return merged;
}
