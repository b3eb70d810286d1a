import { type Selectable, type SqlBool, sql } from 'kysely';
import { PlatformError } from '../../contract/errors.ts';
import type { Db } from '../../platform/db.ts';
import type { Query } from '../api/query.ts';
import { explainConflict } from './conflict.ts';
import { among, fetchPage, type Page } from './page.ts';
import type { ControllerSchema, StackTable } from './schema.ts';

type Database = Db<ControllerSchema>;
export type StackRow = Selectable<StackTable>;

export function listStacks(db: Database, query: Query<'names' | 'default'>): Promise<Page<StackRow>> {
  const isDefault = query.values('default');
  return fetchPage(db.selectFrom('stacks').selectAll('stacks'), query, {
    table: 'stacks',
    conditions: [
      among('stacks.name', query.values('names')),
      isDefault && sql<SqlBool>`stacks.is_default = ${isDefault[0] === 'true'}`,
    ],
  });
}

/** @throws PlatformError ResourceNotFound */
export async function getStack(db: Database, guid: string): Promise<StackRow> {
  const row = await db.selectFrom('stacks').selectAll().where('guid', '=', guid).executeTakeFirst();
  if (!row) throw new PlatformError('ResourceNotFound', 'Stack not found');
  return row;
}

export function insertStack(
  tx: Database,
  stack: { guid: string; name: string; description: string; labels?: string; annotations?: string },
): Promise<StackRow> {
  return explainConflict({ stacks_name: 'Name must be unique' }, () =>
    tx.insertInto('stacks').values(stack).returningAll().executeTakeFirstOrThrow(),
  );
}

export function updateStack(
  tx: Database,
  guid: string,
  change: { state?: string; state_reason?: string | null; labels?: string; annotations?: string },
): Promise<StackRow> {
  return tx
    .updateTable('stacks')
    .set({ ...change, updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .returningAll()
    .executeTakeFirstOrThrow();
}

/** @throws PlatformError UnprocessableEntity while apps use it */
export async function deleteStack(tx: Database, row: StackRow): Promise<void> {
  const app = await tx.selectFrom('apps').select('guid').where('stack', '=', row.name).limit(1).executeTakeFirst();
  if (app)
    throw new PlatformError('UnprocessableEntity', 'Cannot delete stack because apps are currently using the stack.');
  await tx.deleteFrom('stacks').where('guid', '=', row.guid).execute();
}
