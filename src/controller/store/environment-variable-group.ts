import { type Selectable, sql } from 'kysely';
import type { Db } from '../../platform/db.ts';
import type { ControllerSchema, EnvironmentVariableGroupTable } from './schema.ts';

export type GroupRow = Selectable<EnvironmentVariableGroupTable>;

export function findGroup(db: Db<ControllerSchema>, name: string): Promise<GroupRow | undefined> {
  return db
    .selectFrom('environment_variable_groups')
    .selectAll()
    .where('name', '=', name)
    .forUpdate()
    .executeTakeFirst();
}

export function saveGroup(db: Db<ControllerSchema>, name: string, sealed: string): Promise<GroupRow> {
  const values = { sealed, updated_at: sql<Date>`now()` };
  return db
    .insertInto('environment_variable_groups')
    .values({ name, ...values })
    .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
    .returningAll()
    .executeTakeFirstOrThrow();
}
