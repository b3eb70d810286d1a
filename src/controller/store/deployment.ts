import { type Insertable, type Selectable, sql, type Updateable } from 'kysely';
import { PlatformError } from '../../contract/errors.ts';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { Query } from '../api/query.ts';
import type { DeploymentTable } from './app-schema.ts';
import { among, fetchPage, type Page } from './page.ts';
import { inPermittedSpaces } from './role-standing.ts';
import type { ControllerSchema } from './schema.ts';

type Database = Db<ControllerSchema>;
export type DeploymentRow = Selectable<DeploymentTable>;
export type DeploymentFilter = 'app_guids' | 'states' | 'status_values' | 'status_reasons';

export function listDeployments(
  db: Database,
  caller: Caller,
  query: Query<DeploymentFilter>,
): Promise<Page<DeploymentRow>> {
  const select = db
    .selectFrom('deployments')
    .innerJoin('apps', 'apps.guid', 'deployments.app_guid')
    .selectAll('deployments');
  return fetchPage(select, query, {
    table: 'deployments',
    conditions: [
      inPermittedSpaces(caller, 'space.read', 'apps.space_guid'),
      among('deployments.app_guid', query.values('app_guids')),
      among('deployments.status_value', query.values('status_values')),
      among('deployments.status_reason', query.values('status_reasons') ?? query.values('states')),
    ],
  });
}

/** @throws PlatformError 404 */
export async function getDeployment(db: Database, guid: string): Promise<DeploymentRow> {
  const row = await db.selectFrom('deployments').selectAll().where('guid', '=', guid).executeTakeFirst();
  if (!row) throw new PlatformError('ResourceNotFound', 'Deployment not found');
  return row;
}

export async function hasActiveDeployment(db: Database, appGuid: string): Promise<boolean> {
  return (await findActiveDeployment(db, appGuid)) !== undefined;
}

export function findActiveDeployment(db: Database, appGuid: string): Promise<DeploymentRow | undefined> {
  return db
    .selectFrom('deployments')
    .selectAll()
    .where('app_guid', '=', appGuid)
    .where('status_value', '=', 'ACTIVE')
    .executeTakeFirst();
}

export function listActiveDeployments(db: Database): Promise<DeploymentRow[]> {
  return db.selectFrom('deployments').selectAll().where('status_value', '=', 'ACTIVE').execute();
}

export function insertDeployment(tx: Database, row: Insertable<DeploymentTable>): Promise<DeploymentRow> {
  return tx.insertInto('deployments').values(row).returningAll().executeTakeFirstOrThrow();
}

export function updateDeployment(
  tx: Database,
  guid: string,
  change: Updateable<DeploymentTable>,
): Promise<DeploymentRow> {
  return tx
    .updateTable('deployments')
    .set({ ...change, updated_at: sql<Date>`now()` })
    .where('guid', '=', guid)
    .returningAll()
    .executeTakeFirstOrThrow();
}
