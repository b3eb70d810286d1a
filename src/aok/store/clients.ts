import type { Selectable } from 'kysely';
import type { Db } from '../../platform/db.ts';
import type { AokSchema } from './schema.ts';

export type Client = {
  readonly id: string;
  /** SHA-256 of the secret, base64url. */
  readonly secretHash: string;
  readonly grantTypes: readonly string[];
  /** What users of this client may hold at most. */
  readonly scopes: readonly string[];
  /** What the client holds when it speaks for itself. */
  readonly authorities: readonly string[];
  readonly redirectUris: readonly string[];
  readonly autoapprove: boolean;
};

export async function findClient(db: Db<AokSchema>, id: string): Promise<Client | undefined> {
  const row = await db.selectFrom('clients').selectAll().where('client_id', '=', id).executeTakeFirst();
  return row && toClient(row);
}

export async function upsertClient(db: Db<AokSchema>, client: Client): Promise<void> {
  const values = {
    secret_hash: client.secretHash,
    grant_types: [...client.grantTypes],
    scopes: [...client.scopes],
    authorities: [...client.authorities],
    redirect_uris: [...client.redirectUris],
    autoapprove: client.autoapprove,
  };
  await db
    .insertInto('clients')
    .values({ client_id: client.id, ...values })
    .onConflict((conflict) => conflict.column('client_id').doUpdateSet(values))
    .execute();
}

function toClient(row: Selectable<AokSchema['clients']>): Client {
  return {
    id: row.client_id,
    secretHash: row.secret_hash,
    grantTypes: row.grant_types,
    scopes: row.scopes,
    authorities: row.authorities,
    redirectUris: row.redirect_uris,
    autoapprove: row.autoapprove,
  };
}
