import type { Static } from 'typebox';
import Type from 'typebox';
import { decode } from '../../contract/decode.ts';
import { PlatformError } from '../../contract/errors.ts';
import type { Clock } from '../../platform/clock.ts';

const Found = Type.Object({
  resources: Type.Array(Type.Object({ id: Type.String(), userName: Type.String(), origin: Type.String() })),
});
const Token = Type.Object({ access_token: Type.String(), expires_in: Type.Number() });

/** A user as the login server knows it. */
export type DirectoryUser = Static<typeof Found>['resources'][number];

/** Translates between the ids and names of the login server's users. */
export interface UserDirectory {
  /** @throws PlatformError ServiceUnavailable when the login server does not answer */
  findByNames(names: readonly string[]): Promise<DirectoryUser[]>;
  /** @throws PlatformError ServiceUnavailable when the login server does not answer */
  findByIds(ids: readonly string[]): Promise<DirectoryUser[]>;
}

/** A directory that knows nobody. */
export const emptyDirectory: UserDirectory = { findByNames: async () => [], findByIds: async () => [] };

const TIMEOUT_MS = 5000;
const MOST_CONDITIONS = 100;

/** The login server at this URL, asked as the OAuth client `cloud_controller`. */
export function loginServerDirectory(url: string, options: { secret: string; clock: Clock }): UserDirectory {
  const { secret, clock } = options;
  let token = { text: '', untilMs: 0 };

  const bearer = async (): Promise<string> => {
    if (token.untilMs > clock.nowMs()) return token.text;
    const answer = await ask('/oauth/token', {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`cloud_controller:${secret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    const { access_token, expires_in } = decode(Token, answer, 'token of the login server');
    token = { text: access_token, untilMs: clock.nowMs() + (expires_in - 60) * 1000 };
    return access_token;
  };

  const ask = async (path: string, init: RequestInit): Promise<unknown> => {
    try {
      const response = await fetch(`${url}${path}`, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
      if (!response.ok) throw new Error(`${path} answered ${response.status}`);
      return await response.json();
    } catch (error) {
      throw new PlatformError(
        'ServiceUnavailable',
        'The login server cannot be asked for users. Try again in a moment.',
        {
          cause: error,
        },
      );
    }
  };

  const find = async (field: string, values: readonly string[]): Promise<DirectoryUser[]> => {
    const wanted = values.slice(0, MOST_CONDITIONS);
    if (wanted.length === 0) return [];
    const filter = wanted.map((value) => `${field} eq ${JSON.stringify(value)}`).join(' or ');
    const answer = await ask(`/ids/Users?filter=${encodeURIComponent(filter)}&count=${MOST_CONDITIONS}`, {
      headers: { authorization: `Bearer ${await bearer()}` },
    });
    return decode(Found, answer, 'users of the login server').resources;
  };

  return { findByNames: (names) => find('userName', names), findByIds: (ids) => find('id', ids) };
}
