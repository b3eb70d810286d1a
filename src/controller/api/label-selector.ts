import { PlatformError } from '../../contract/errors.ts';

/** One requirement of a label selector; all of them must hold. */
export type LabelRequirement =
  | { readonly kind: 'exists'; readonly key: string }
  | { readonly kind: 'absent'; readonly key: string }
  | { readonly kind: 'in'; readonly key: string; readonly values: readonly string[] }
  | { readonly kind: 'not-in'; readonly key: string; readonly values: readonly string[] };

const KEY = String.raw`[A-Za-z0-9](?:[\w./-]*[A-Za-z0-9])?`;
const VALUE = String.raw`[\w.-]*`;
const SET = new RegExp(`^(${KEY})\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const EQUALITY = new RegExp(`^(${KEY})\\s*(==|=|!=)\\s*(${VALUE})$`);
const EXISTENCE = new RegExp(`^(!?)\\s*(${KEY})$`);

/**
 * Reads `k=v`, `k==v`, `k!=v`, `k in (a,b)`, `k notin (a,b)`, `k`, `!k`, separated by commas.
 *
 * @throws PlatformError BadQueryParameter naming the part that is not one of those
 */
export function parseLabelSelector(text: string): LabelRequirement[] {
  return text.split(/,(?![^(]*\))/).map((part) => parseRequirement(part.trim()));
}

function parseRequirement(text: string): LabelRequirement {
  const set = SET.exec(text);
  if (set) {
    const values = (set[3] ?? '').split(',').map((value) => value.trim());
    return { kind: set[2] === 'in' ? 'in' : 'not-in', key: set[1] ?? '', values };
  }
  const equality = EQUALITY.exec(text);
  if (equality) {
    return { kind: equality[2] === '!=' ? 'not-in' : 'in', key: equality[1] ?? '', values: [equality[3] ?? ''] };
  }
  const existence = EXISTENCE.exec(text);
  if (existence) return { kind: existence[1] ? 'absent' : 'exists', key: existence[2] ?? '' };
  throw new PlatformError('BadQueryParameter', `Invalid label_selector value '${text}'`);
}
