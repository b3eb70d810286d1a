import type { Db, Tx } from '../../platform/db.ts';
import type { AokSchema } from './schema.ts';

/** A refresh token as stored: only its hash is known. */
export type RefreshToken = {
  readonly tokenHash: string;
  readonly sessionId: string;
  readonly userId: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly grantType: string;
  readonly authTimeMs: number;
  /** Access token issued with it. */
  readonly accessJti: string;
  readonly expiresAtMs: number;
};

export type AuthorizationCode = {
  readonly codeHash: string;
  readonly clientId: string;
  readonly userId: string;
  readonly redirectUri: string;
  readonly scopes: readonly string[];
  readonly expiresAtMs: number;
};

type Handle = Db<AokSchema> | Tx<AokSchema>;

export async function insertRefreshToken(db: Handle, token: RefreshToken): Promise<void> {
  await db
    .insertInto('refresh_tokens')
    .values({
      token_hash: token.tokenHash,
      session_id: token.sessionId,
      user_id: token.userId,
      client_id: token.clientId,
      scopes: [...token.scopes],
      grant_type: token.grantType,
      auth_time: new Date(token.authTimeMs),
      access_jti: token.accessJti,
      expires_at: new Date(token.expiresAtMs),
      replaced_at: null,
    })
    .execute();
}

/** The token and since when it is replaced; locked until the transaction ends. */
export async function lockRefreshToken(
  tx: Tx<AokSchema>,
  tokenHash: string,
): Promise<(RefreshToken & { replacedAtMs: number | undefined }) | undefined> {
  const row = await tx
    .selectFrom('refresh_tokens')
    .selectAll()
    .where('token_hash', '=', tokenHash)
    .forUpdate()
    .executeTakeFirst();
  return (
    row && {
      tokenHash: row.token_hash,
      sessionId: row.session_id,
      userId: row.user_id,
      clientId: row.client_id,
      scopes: row.scopes,
      grantType: row.grant_type,
      authTimeMs: row.auth_time.getTime(),
      accessJti: row.access_jti,
      expiresAtMs: row.expires_at.getTime(),
      replacedAtMs: row.replaced_at?.getTime(),
    }
  );
}

export async function markReplaced(tx: Tx<AokSchema>, tokenHash: string, atMs: number): Promise<void> {
  await tx
    .updateTable('refresh_tokens')
    .set({ replaced_at: new Date(atMs) })
    .where('token_hash', '=', tokenHash)
    .where('replaced_at', 'is', null)
    .execute();
}

export async function deleteSession(db: Handle, sessionId: string): Promise<void> {
  await db.deleteFrom('refresh_tokens').where('session_id', '=', sessionId).execute();
}

/** Ends the session an access token belongs to, and refuses that token from now on. */
export async function revokeAccessToken(db: Db<AokSchema>, token: { jti: string; expiresAtMs: number }): Promise<void> {
  await db.transaction().execute(async (tx) => {
    const rows = await tx
      .selectFrom('refresh_tokens')
      .select('session_id')
      .where('access_jti', '=', token.jti)
      .execute();
    for (const row of rows) await deleteSession(tx, row.session_id);
    await tx
      .insertInto('revoked_tokens')
      .values({ jti: token.jti, expires_at: new Date(token.expiresAtMs) })
      .onConflict((conflict) => conflict.column('jti').doNothing())
      .execute();
  });
}

export async function insertCode(db: Handle, code: AuthorizationCode): Promise<void> {
  await db
    .insertInto('codes')
    .values({
      code_hash: code.codeHash,
      client_id: code.clientId,
      user_id: code.userId,
      redirect_uri: code.redirectUri,
      scopes: [...code.scopes],
      expires_at: new Date(code.expiresAtMs),
    })
    .execute();
}

/** Takes a code out: whoever gets it is the only one. */
export async function takeCode(db: Handle, codeHash: string): Promise<AuthorizationCode | undefined> {
  const row = await db.deleteFrom('codes').where('code_hash', '=', codeHash).returningAll().executeTakeFirst();
  return (
    row && {
      codeHash: row.code_hash,
      clientId: row.client_id,
      userId: row.user_id,
      redirectUri: row.redirect_uri,
      scopes: row.scopes,
      expiresAtMs: row.expires_at.getTime(),
    }
  );
}

/** Forgets everything that is of no use any more. */
export async function prune(db: Db<AokSchema>, nowMs: number, failuresKeptMs: number): Promise<void> {
  const now = new Date(nowMs);
  await db.deleteFrom('refresh_tokens').where('expires_at', '<', now).execute();
  await db.deleteFrom('codes').where('expires_at', '<', now).execute();
  await db.deleteFrom('revoked_tokens').where('expires_at', '<', now).execute();
  await db.deleteFrom('revoked_users').where('expires_at', '<', now).execute();
  await db
    .deleteFrom('login_failures')
    .where('last_failed_at', '<', new Date(nowMs - failuresKeptMs))
    .execute();
}
