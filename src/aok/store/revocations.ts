import { sql } from 'kysely';
import type { Db, Tx } from '../../platform/db.ts';
import type { AokSchema } from './schema.ts';
import type { User } from './users.ts';

type Handle = Db<AokSchema> | Tx<AokSchema>;

/** Later than that of any token. */
const NO_GENERATION = 2_147_483_647;

/** Ends all sessions, codes and access tokens that a user has; of a deleted one for ever. `untilMs`: when none can be good any more. */
export async function revokeTokensOf(tx: Tx<AokSchema>, userId: string, untilMs: number): Promise<void> {
  // Locks the user first: what is handed out at the same time is either deleted here or not handed out.
  const user = await tx
    .updateTable('users')
    .set({ token_generation: sql<number>`token_generation + 1` })
    .where('id', '=', userId)
    .returning('token_generation')
    .executeTakeFirst();
  await tx.deleteFrom('refresh_tokens').where('user_id', '=', userId).execute();
  await tx.deleteFrom('codes').where('user_id', '=', userId).execute();
  const values = { generation: user?.token_generation ?? NO_GENERATION, expires_at: new Date(untilMs) };
  await tx
    .insertInto('revoked_users')
    .values({ user_id: userId, ...values })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet(values))
    .execute();
}

/** Keeps the user as it is until the transaction ends; false when its tokens were revoked since it was read. */
export async function holdUser(tx: Tx<AokSchema>, user: Pick<User, 'id' | 'tokenGeneration'>): Promise<boolean> {
  const row = await tx
    .selectFrom('users')
    .select('id')
    .where('id', '=', user.id)
    .where('token_generation', '=', user.tokenGeneration)
    .forShare()
    .executeTakeFirst();
  return row !== undefined;
}

/** Was this access token revoked by itself, or with all of its user? `userId` is undefined for a client's own. */
export async function isRevoked(
  db: Handle,
  token: { jti: string; userId: string | undefined; generation: number },
): Promise<boolean> {
  const one = await db.selectFrom('revoked_tokens').select('jti').where('jti', '=', token.jti).executeTakeFirst();
  if (one !== undefined) return true;
  if (token.userId === undefined) return false;
  const user = await db
    .selectFrom('users')
    .select('token_generation')
    .where('id', '=', token.userId)
    .executeTakeFirst();
  return user?.token_generation !== token.generation;
}

/** All that is refused and has not expired yet. */
export async function listRevocations(db: Handle, nowMs: number) {
  const now = new Date(nowMs);
  const [tokens, users] = await Promise.all([
    db.selectFrom('revoked_tokens').select('jti').where('expires_at', '>=', now).execute(),
    db.selectFrom('revoked_users').select(['user_id as id', 'generation']).where('expires_at', '>=', now).execute(),
  ]);
  return { tokens: tokens.map(({ jti }) => jti), users };
}
