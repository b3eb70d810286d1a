import { type Insertable, type Selectable, sql, type Updateable } from 'kysely';
import { PlatformError } from '../../contract/errors.ts';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { Query } from '../api/query.ts';
import type { AppTable } from './app-schema.ts';
import { explainConflict } from './conflict.ts';
import { among, amongNames, fetchPage, type Page } from './page.ts';
import { inPermittedSpaces } from './role-standing.ts';
import type { ControllerSchema } from './schema.ts';

type Database = Db<ControllerSchema>;
export type AppRow = Selectable<AppTable>;
export type AppFilter = 'names' | 'space_guids' | 'organization_guids' | 'stacks' | 'lifecycle_type';

export function listApps(db: Database, caller: Caller, query: Query<AppFilter>): Promise<Page<AppRow>> {
  const organizations = query.values('organization_guids');
  const types = query.values('lifecycle_type');
  return fetchPage(db.selectFrom('apps').selectAll('apps'), query, {
    table: 'apps',
    conditions: [
      inPermittedSpaces(caller, 'space.read', 'apps.space_guid'),
      amongNames('apps.name', query.values('names')),
      among('apps.space_guid', query.values('space_guids')),
      among('apps.stack', query.values('stacks')),
      types && !types.includes('buildpack') ? sql<boolean>`false` : undefined,
      organizations &&
        sql<boolean>`apps.space_guid in (select guid from spaces where organization_guid = any(${organizations}))`,
    ],
  });
}

/** @throws PlatformError 404 */
export async function getApp(db: Database, guid: string): Promise<AppRow> {
  return found(await db.selectFrom('apps').selectAll().where('guid', '=', guid).executeTakeFirst());
}

/** Reads an app and lets nobody else change it, or what belongs to it, before this transaction ends. */
export async function lockApp(tx: Database, guid: string): Promise<AppRow> {
  return found(await tx.selectFrom('apps').selectAll().where('guid', '=', guid).forUpdate().executeTakeFirst());
}

/** Apps of a space by name, case ignored. */
export function findAppsByName(db: Database, spaceGuid: string, names: readonly string[]): Promise<AppRow[]> {
  return db
    .selectFrom('apps')
    .selectAll()
    .where('space_guid', '=', spaceGuid)
    .where(sql<string>`lower(name)`, 'in', names.length > 0 ? names.map((name) => name.toLowerCase()) : [''])
    .execute();
}

export function listAppsOfSpace(db: Database, spaceGuid: string): Promise<AppRow[]> {
  return db.selectFrom('apps').selectAll().where('space_guid', '=', spaceGuid).execute();
}

/** @throws PlatformError UnprocessableEntity when the name is taken */
export function insertApp(tx: Database, app: Insertable<AppTable>): Promise<AppRow> {
  return explainConflict(nameTaken(app.name), () =>
    tx.insertInto('apps').values(app).returningAll().executeTakeFirstOrThrow(),
  );
}

/** @throws PlatformError UnprocessableEntity when the name is taken */
export function updateApp(tx: Database, guid: string, change: Updateable<AppTable>): Promise<AppRow> {
  return explainConflict(nameTaken(String(change.name ?? '')), () =>
    tx
      .updateTable('apps')
      .set({ ...change, updated_at: sql<Date>`now()` })
      .where('guid', '=', guid)
      .returningAll()
      .executeTakeFirstOrThrow(),
  );
}

export async function isAppThere(db: Database, guid: string): Promise<boolean> {
  return (await db.selectFrom('apps').select('guid').where('guid', '=', guid).executeTakeFirst()) !== undefined;
}

/** Deletes an app with everything in the database that belongs to it. */
export async function deleteApp(tx: Database, guid: string): Promise<void> {
  await tx.deleteFrom('destinations').where('app_guid', '=', guid).execute();
  await tx.deleteFrom('apps').where('guid', '=', guid).execute();
}

/** Where an app lives, by name and guid. */
export type AppPlace = {
  readonly space: { readonly guid: string; readonly name: string; readonly sshEnabled: boolean };
  readonly organization: { readonly guid: string; readonly name: string; readonly quotaGuid: string };
};

export async function getAppPlace(db: Database, spaceGuid: string): Promise<AppPlace> {
  const row = await db
    .selectFrom('spaces')
    .innerJoin('organizations', 'organizations.guid', 'spaces.organization_guid')
    .select(['spaces.guid', 'spaces.name', 'spaces.ssh_enabled', 'organizations.quota_guid'])
    .select(['organizations.guid as organization_guid', 'organizations.name as organization_name'])
    .where('spaces.guid', '=', spaceGuid)
    .executeTakeFirstOrThrow();
  return {
    space: { guid: row.guid, name: row.name, sshEnabled: row.ssh_enabled },
    organization: { guid: row.organization_guid, name: row.organization_name, quotaGuid: row.quota_guid },
  };
}

export async function isStackKnown(db: Database, name: string): Promise<boolean> {
  return (await db.selectFrom('stacks').select('guid').where('name', '=', name).executeTakeFirst()) !== undefined;
}

const found = (app: AppRow | undefined): AppRow => {
  if (!app) throw new PlatformError('ResourceNotFound', 'App not found');
  return app;
};

const nameTaken = (name: string) => ({ apps_name: `App with the name '${name}' already exists.` });
