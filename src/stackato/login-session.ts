import { DecodeError, decode } from '../contract/decode.ts';
import type { Clock } from '../platform/clock.ts';
import type { TokenSource } from './api/api-client.ts';
import { LoginInfo, Token } from './api/resources.ts';
import { type HttpReply, type Transport, UnreachableError } from './api/transport.ts';
import { ClientError } from './client-error.ts';
import type { ConfigStore, TargetEntry } from './config-store.ts';

/** A token this close to its end is replaced first, s. */
const EARLY_S = 60;

export type SessionOptions = {
  readonly target: string;
  readonly entry: TargetEntry;
  readonly store: ConfigStore;
  readonly transport: Transport;
  readonly clock: Clock;
  /** Given for this call only. */
  readonly token: string | undefined;
};

/** The tokens of one target: kept in the store, refreshed by one command at a time. */
export class LoginSession implements TokenSource {
  readonly #options: SessionOptions;
  #accessToken: string | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#accessToken = (options.token ?? options.entry.accessToken)?.replace(/^bearer\s+/i, '');
  }

  async token(refused?: string): Promise<string> {
    const current = this.#accessToken;
    const isGood = current !== undefined && current !== refused && !this.#isEnding(current);
    if (isGood) return current;
    if (this.#options.token !== undefined) {
      if (current !== undefined && refused === undefined) return current;
      throw new ClientError('The token given for this call was refused', {
        next: 'Get another, or log in: stackato login',
      });
    }
    return (this.#accessToken = await this.#refreshed(refused));
  }

  async #refreshed(refused: string | undefined): Promise<string> {
    const { store, target, entry, transport } = this.#options;
    return store.change(async (config) => {
      const kept = config.targets[target] ?? entry;
      const another = kept.accessToken;
      if (another !== undefined && another !== refused && !this.#isEnding(another)) return another;
      if (kept.refreshToken === undefined) throw loginAgain(target);
      const form = { grant_type: 'refresh_token', refresh_token: kept.refreshToken };
      const reply = await requestToken(transport, entry.login, form);
      if (reply.status === 400 || reply.status === 401) throw loginAgain(target);
      const fresh = tokensIn(reply, entry.login);
      config.targets[target] = {
        ...kept,
        accessToken: fresh.access_token,
        refreshToken: fresh.refresh_token ?? kept.refreshToken,
      };
      return fresh.access_token;
    });
  }

  #isEnding(token: string): boolean {
    const { exp } = claimsOf(token);
    return typeof exp === 'number' && exp - this.#options.clock.nowMs() / 1000 < EARLY_S;
  }
}

/** Logs in with a password; throws ClientError when refused. */
export async function logIn(
  transport: Transport,
  login: string,
  credentials: Readonly<Record<string, string>>,
): Promise<{ accessToken: string; refreshToken: string | undefined }> {
  const reply = await requestToken(transport, login, { grant_type: 'password', ...credentials });
  if (reply.status === 401 || reply.status === 403) {
    if ([502, 503, 504].includes(reply.status)) {
      throw new UnreachableError(`The login server at ${login} does not answer (status ${reply.status})`, {
        next: 'On the server: kato status',
        isUnheard: true,
      });
    }
    const said = errorIn(reply.text);
    const isPlain = said === '' || /bad credentials/i.test(said);
    throw new LoginRefused(isPlain ? 'The user name or the password is wrong' : said, {
      next: 'Try again: stackato login EMAIL',
    });
  }
  const { access_token, refresh_token } = tokensIn(reply, login);
  return { accessToken: access_token, refreshToken: refresh_token ?? undefined };
}

/** The login server said no. */
export class LoginRefused extends ClientError {
  override name = 'LoginRefused';
}

/** What the login server asks for, besides one-time codes: field → [type, label]. */
export async function promptsOf(transport: Transport, login: string): Promise<Readonly<Record<string, string[]>>> {
  const reply = await transport.send({ url: `${login}/login`, headers: { accept: 'application/json' } });
  try {
    const { passcode: _passcode, ...prompts } = decode(LoginInfo, JSON.parse(reply.text), 'login').prompts;
    return prompts;
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof DecodeError)) throw error;
    throw new ClientError(`The login server at ${login} does not answer as one (status ${reply.status})`, {
      cause: error,
      next: 'On the server: kato status',
    });
  }
}

/** Ends the session on the server. */
export async function revoke(transport: Transport, login: string, accessToken: string): Promise<void> {
  const { jti } = claimsOf(accessToken);
  if (typeof jti !== 'string') return;
  await transport.send({
    method: 'DELETE',
    url: `${login}/oauth/token/revoke/${encodeURIComponent(jti)}`,
    headers: { authorization: `bearer ${accessToken}` },
    idleMs: 5000,
  });
}

/** The claims of a token, unverified: for the client's own information only. */
export function claimsOf(token: string): Readonly<Record<string, unknown>> {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return typeof claims === 'object' && claims !== null ? (claims as Record<string, unknown>) : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

function requestToken(transport: Transport, login: string, form: Readonly<Record<string, string>>): Promise<HttpReply> {
  return transport.send({
    method: 'POST',
    url: `${login}/oauth/token`,
    headers: {
      accept: 'application/json',
      authorization: `Basic ${Buffer.from('cf:').toString('base64')}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams(form).toString(),
  });
}

function tokensIn(reply: HttpReply, login: string) {
  try {
    if (reply.status === 200) return decode(Token, JSON.parse(reply.text), 'token');
  } catch (error) {
    if (!(error instanceof SyntaxError || error instanceof DecodeError)) throw error;
  }
  const said = errorIn(reply.text);
  throw new ClientError(
    `The login server at ${login} gave no token (status ${reply.status})${said ? `: ${said}` : ''}`,
    {
      next: 'On the server: kato status',
    },
  );
}

function errorIn(text: string): string {
  try {
    const value: unknown = JSON.parse(text);
    const isError = typeof value === 'object' && value !== null && 'error_description' in value;
    return isError ? String(value.error_description) : '';
  } catch (error) {
    if (error instanceof SyntaxError) return '';
    throw error;
  }
}

function loginAgain(target: string): ClientError {
  return new ClientError(`The login at ${target} has ended`, { next: 'stackato login' });
}
