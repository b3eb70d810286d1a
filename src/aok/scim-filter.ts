import { OAuthError } from './oauth-error.ts';
import type { UserCondition, UserSearch } from './store/users.ts';

const FIELDS: Readonly<Record<string, UserCondition['field']>> = {
  id: 'id',
  username: 'userName',
  origin: 'origin',
  email: 'email',
  'emails.value': 'email',
};
const TOKEN = /\s*(?:"((?:[^"\\]|\\.)*)"|([A-Za-z0-9_.]+))/y;
const MOST_CONDITIONS = 200;

/**
 * Reads a user search such as `userName eq "ann" and origin eq "uaa"`: equality, joined by `and` and `or`
 * (`and` binds closer); words in any case. Nothing or blank finds everyone.
 *
 * @throws OAuthError 400 invalid_filter
 */
export function parseUserFilter(filter: string | undefined): UserSearch {
  if (filter === undefined || filter.trim() === '') return [];
  const words = wordsOf(filter);
  const search: UserCondition[][] = [[]];
  let count = 0;
  for (let at = 0; at < words.length; at += 4) {
    const [field, operator, value, joint] = words.slice(at, at + 4);
    const name = field?.isQuoted ? undefined : FIELDS[field?.text.toLowerCase() ?? ''];
    if (name === undefined || operator?.text.toLowerCase() !== 'eq' || !value?.isQuoted) throw fault(filter);
    if (++count > MOST_CONDITIONS) throw new OAuthError(400, 'invalid_filter', 'The filter has too many conditions');
    search.at(-1)?.push({ field: name, value: value.text });
    if (joint === undefined) continue;
    const word = joint.text.toLowerCase();
    if ((word !== 'and' && word !== 'or') || at + 4 >= words.length) throw fault(filter);
    if (word === 'or') search.push([]);
  }
  return search;
}

function wordsOf(filter: string): { text: string; isQuoted: boolean }[] {
  const words: { text: string; isQuoted: boolean }[] = [];
  const text = filter.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const match = TOKEN.exec(text);
    if (!match) throw fault(filter);
    const [, quoted, plain = ''] = match;
    words.push({ text: quoted?.replace(/\\(.)/g, '$1') ?? plain, isQuoted: quoted !== undefined });
  }
  return words;
}

function fault(filter: string): OAuthError {
  return new OAuthError(
    400,
    'invalid_filter',
    `Invalid filter expression: [${filter.slice(0, 200)}]; say for example userName eq "ann@example.com"`,
  );
}
