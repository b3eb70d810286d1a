import type { Clock } from '../platform/clock.ts';
import type { Db, Tx } from '../platform/db.ts';
import type { Random } from '../platform/random.ts';
import { type Authenticator, builtInOrigin } from './authenticator.ts';
import { hashSecret } from './known-clients.ts';
import { OAuthError } from './oauth-error.ts';
import { grantedScopes, parseScopes } from './scopes.ts';
import type { Client } from './store/clients.ts';
import { holdUser } from './store/revocations.ts';
import type { AokSchema } from './store/schema.ts';
import {
  deleteSession,
  insertCode,
  insertRefreshToken,
  lockRefreshToken,
  markReplaced,
  takeCode,
} from './store/sessions.ts';
import { findUser, type User } from './store/users.ts';
import type { AccessToken, Tokens } from './tokens.ts';

/** Fields of a token request. */
export type Form = Readonly<Record<string, string>>;

/** A replaced refresh token is good for so long: its successor may have been lost, or someone else refreshed too. */
const REPLACED_GRACE_MS = 60_000;
const CODE_LIFE_MS = 300_000;

export type TokenReply = {
  readonly access_token: string;
  readonly token_type: 'bearer';
  readonly refresh_token?: string;
  readonly expires_in: number;
  readonly scope: string;
  readonly jti: string;
};

type Session = {
  readonly id: string;
  readonly user: User;
  readonly client: Client;
  readonly scopes: readonly string[];
  readonly grantType: string;
  readonly authTimeMs: number;
};

/** The ways to get tokens. */
export class Grants {
  readonly #db: Db<AokSchema>;
  readonly #authenticator: Authenticator;
  readonly #tokens: Tokens;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #refreshLifeMs: () => number;

  constructor(options: {
    db: Db<AokSchema>;
    authenticator: Authenticator;
    tokens: Tokens;
    clock: Clock;
    random: Random;
    refreshLifeMs: () => number;
  }) {
    this.#db = options.db;
    this.#authenticator = options.authenticator;
    this.#tokens = options.tokens;
    this.#clock = options.clock;
    this.#random = options.random;
    this.#refreshLifeMs = options.refreshLifeMs;
  }

  /** @throws OAuthError */
  grant(client: Client, form: Form): Promise<TokenReply> {
    const type = form.grant_type ?? '';
    if (type === '') throw new OAuthError(400, 'invalid_request', 'Missing grant type');
    const grants: Readonly<Record<string, (client: Client, form: Form) => Promise<TokenReply>>> = {
      password: (c, f) => this.#password(c, f),
      refresh_token: (c, f) => this.#refresh(c, f),
      client_credentials: (c, f) => this.#clientCredentials(c, f),
      authorization_code: (c, f) => this.#authorizationCode(c, f),
    };
    const grant = Object.hasOwn(grants, type) ? grants[type] : undefined;
    if (!grant) throw new OAuthError(400, 'unsupported_grant_type', `Unsupported grant type: ${type}`);
    if (!client.grantTypes.includes(type)) {
      throw new OAuthError(401, 'invalid_client', `Unauthorized grant type: ${type}`);
    }
    return grant(client, form);
  }

  /** A code that a client may exchange, once and soon, for a token of this user. */
  async authorize(client: Client, user: User, redirectUri: string): Promise<string> {
    const scopes = grantedScopes(user, client, []) ?? [];
    const code = this.#random.hex(20);
    const expiresAtMs = this.#clock.nowMs() + CODE_LIFE_MS;
    await this.#whileGood(user, (tx) =>
      insertCode(tx, {
        codeHash: hashSecret(code),
        clientId: client.id,
        userId: user.id,
        redirectUri,
        scopes,
        expiresAtMs,
      }),
    );
    return code;
  }

  async #password(client: Client, form: Form): Promise<TokenReply> {
    if (form.passcode !== undefined) {
      throw new OAuthError(
        401,
        'unauthorized',
        'One-time passcodes are not offered; log in with a user name and password',
      );
    }
    const hinted = originHint(form.login_hint);
    if (hinted !== undefined && hinted !== builtInOrigin) {
      throw new OAuthError(
        401,
        'unauthorized',
        'The origin provided in the login_hint does not match an active Identity Provider, that supports password grant.',
      );
    }
    if (!form.username || form.password === undefined) {
      throw new OAuthError(400, 'invalid_request', 'Both username and password are needed');
    }
    const user = await this.#authenticator.logIn(form.username, form.password);
    const scopes = this.#scopes(user, client, form.scope);
    return this.#open({
      id: this.#random.hex(16),
      user,
      client,
      scopes,
      grantType: 'password',
      authTimeMs: this.#clock.nowMs(),
    });
  }

  async #refresh(client: Client, form: Form): Promise<TokenReply> {
    const tokenHash = hashSecret(form.refresh_token ?? '');
    const nowMs = this.#clock.nowMs();
    const session = await this.#db.transaction().execute(async (tx): Promise<Session | undefined> => {
      const old = await lockRefreshToken(tx, tokenHash);
      if (!old || old.clientId !== client.id || old.expiresAtMs <= nowMs) return undefined;
      if (old.replacedAtMs !== undefined && nowMs - old.replacedAtMs > REPLACED_GRACE_MS) {
        await deleteSession(tx, old.sessionId);
        return undefined;
      }
      const user = await findUser(tx, [[{ field: 'id', value: old.userId }]]);
      if (!user?.isActive) return undefined;
      await markReplaced(tx, tokenHash, nowMs);
      const scopes = grantedScopes(user, client, []) ?? [];
      return { ...old, id: old.sessionId, user, client, scopes: old.scopes.filter((scope) => scopes.includes(scope)) };
    });
    if (!session) {
      throw new OAuthError(400, 'invalid_token', 'The token expired, was revoked, or the token ID is incorrect.');
    }
    return this.#open(session);
  }

  async #clientCredentials(client: Client, form: Form): Promise<TokenReply> {
    const requested = parseScopes(form.scope);
    if (!requested.every((scope) => client.authorities.includes(scope))) throw invalidScope();
    const scopes = requested.length > 0 ? requested : client.authorities;
    const access = await this.#tokens.issue({ clientId: client.id, scopes, grantType: 'client_credentials' });
    return reply(access, scopes);
  }

  async #authorizationCode(client: Client, form: Form): Promise<TokenReply> {
    // In one: revoking all of a user waits for whoever holds a code, so the user is found as it was before.
    const { code, user } = await this.#db.transaction().execute(async (tx) => {
      const taken = await takeCode(tx, hashSecret(form.code ?? ''));
      const isGood =
        taken !== undefined &&
        taken.clientId === client.id &&
        taken.expiresAtMs > this.#clock.nowMs() &&
        (form.redirect_uri === undefined || form.redirect_uri === taken.redirectUri);
      return { code: taken, user: isGood ? await findUser(tx, [[{ field: 'id', value: taken.userId }]]) : undefined };
    });
    if (!code || !user?.isActive) throw new OAuthError(400, 'invalid_grant', 'Invalid authorization code');
    const session = {
      id: this.#random.hex(16),
      user,
      client,
      scopes: code.scopes,
      grantType: 'authorization_code',
      authTimeMs: this.#clock.nowMs(),
    };
    if (client.grantTypes.includes('refresh_token')) return this.#open(session);
    const access = await this.#tokens.issue({ ...session, clientId: client.id });
    return reply(access, code.scopes);
  }

  async #open(session: Session): Promise<TokenReply> {
    const { client, user, scopes, grantType, authTimeMs } = session;
    const access = await this.#tokens.issue({ clientId: client.id, scopes, grantType, user, authTimeMs });
    const refreshToken = `${this.#random.hex(32)}-r`;
    const expiresAtMs = this.#clock.nowMs() + this.#refreshLifeMs();
    await this.#whileGood(user, (tx) =>
      insertRefreshToken(tx, {
        tokenHash: hashSecret(refreshToken),
        sessionId: session.id,
        userId: user.id,
        clientId: client.id,
        scopes,
        grantType,
        authTimeMs,
        accessJti: access.jti,
        expiresAtMs,
      }),
    );
    return { ...reply(access, scopes), refresh_token: refreshToken };
  }

  /** What follows from a login must not outlive a new password that was set meanwhile. */
  async #whileGood(user: User, insert: (tx: Tx<AokSchema>) => Promise<void>): Promise<void> {
    await this.#db.transaction().execute(async (tx) => {
      if (!(await holdUser(tx, user))) {
        throw new OAuthError(401, 'unauthorized', 'The password was changed meanwhile; log in again');
      }
      await insert(tx);
    });
  }

  #scopes(user: User, client: Client, requested: string | undefined): readonly string[] {
    const scopes = grantedScopes(user, client, parseScopes(requested));
    if (!scopes) throw invalidScope();
    return scopes;
  }
}

function invalidScope(): OAuthError {
  return new OAuthError(400, 'invalid_scope', 'A scope was asked for that may not be granted');
}

function reply(access: AccessToken, scopes: readonly string[]): TokenReply {
  return {
    access_token: access.token,
    token_type: 'bearer',
    expires_in: access.expiresInS,
    scope: scopes.join(' '),
    jti: access.jti,
  };
}

/** The origin named by a login hint: `{"origin":"…"}`, or plain text. */
function originHint(hint: string | undefined): string | undefined {
  if (!hint) return undefined;
  try {
    const value: unknown = JSON.parse(hint);
    if (typeof value !== 'object' || value === null || !('origin' in value)) return undefined;
    return String(value.origin);
  } catch (error) {
    if (error instanceof SyntaxError) return hint;
    throw error;
  }
}
