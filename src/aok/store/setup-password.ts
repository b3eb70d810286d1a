import type { Db, Tx } from '../../platform/db.ts';
import type { AokSchema } from './schema.ts';

/** Hash of the password that the first administrator is made with over HTTP, while there is one. */
export async function findSetupPassword(db: Db<AokSchema>): Promise<string | undefined> {
  return (await db.selectFrom('setup_password').select('hash').executeTakeFirst())?.hash;
}

export async function putSetupPassword(db: Db<AokSchema>, hash: string): Promise<void> {
  await db
    .insertInto('setup_password')
    .values({ id: 1, hash })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ hash }))
    .execute();
}

export async function forgetSetupPassword(tx: Tx<AokSchema>): Promise<void> {
  await tx.deleteFrom('setup_password').execute();
}
