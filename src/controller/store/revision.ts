import { type Selectable, sql } from 'kysely';
import { PlatformError } from '../../contract/errors.ts';
import type { Db } from '../../platform/db.ts';
import type { Query } from '../api/query.ts';
import type { AppRow } from './app.ts';
import type { RevisionTable } from './app-schema.ts';
import { among, fetchPage, type Page } from './page.ts';
import type { ProcessRow } from './process.ts';
import type { ControllerSchema } from './schema.ts';

type Database = Db<ControllerSchema>;
export type RevisionRow = Selectable<RevisionTable>;

export function listRevisions(
  db: Database,
  query: Query<'versions'>,
  options: { appGuid: string; isDeployed?: boolean },
): Promise<Page<RevisionRow>> {
  return fetchPage(db.selectFrom('revisions').selectAll('revisions'), query, {
    table: 'revisions',
    conditions: [
      among('revisions.app_guid', [options.appGuid]),
      versionsCondition(query.values('versions')),
      options.isDeployed
        ? sql<boolean>`revisions.guid in (select revision_guid from processes p join apps a on a.guid = p.app_guid
            where p.app_guid = ${options.appGuid} and a.state = 'STARTED')`
        : undefined,
    ],
  });
}

const versionsCondition = (values: readonly string[] | undefined) =>
  values && sql<boolean>`revisions.version::text = any(${values})`;

/** @throws PlatformError 404 */
export async function getRevision(db: Database, guid: string): Promise<RevisionRow> {
  const row = await db.selectFrom('revisions').selectAll().where('guid', '=', guid).executeTakeFirst();
  if (!row) throw new PlatformError('ResourceNotFound', 'Revision not found');
  return row;
}

/**
 * Remembers what an app starts with, when it is not what it last started with.
 *
 * @returns the guid of the revision that is started; null when the app keeps none
 */
export async function recordRevision(
  tx: Database,
  options: { app: AppRow; processes: readonly ProcessRow[]; guid: string },
): Promise<string | null> {
  const { app, processes, guid } = options;
  if (app.features.revisions === false || app.droplet_guid === null) return null;
  const commands = Object.fromEntries(processes.map(({ type, command }) => [type, command]));
  const last = await tx
    .selectFrom('revisions')
    .selectAll()
    .where('app_guid', '=', app.guid)
    .orderBy('version', 'desc')
    .executeTakeFirst();
  const changes = last ? changesSince(last, { app, commands }) : ['Initial revision.'];
  if (last && changes.length === 0) return last.guid;
  await tx
    .insertInto('revisions')
    .values({
      guid,
      app_guid: app.guid,
      version: (last?.version ?? 0) + 1,
      droplet_guid: app.droplet_guid,
      env_sealed: app.env_sealed,
      commands: JSON.stringify(commands),
      description: changes.join(' '),
    })
    .execute();
  return guid;
}

function changesSince(
  last: RevisionRow,
  now: { app: AppRow; commands: Readonly<Record<string, string | null>> },
): string[] {
  const changes: string[] = [];
  if (last.droplet_guid !== now.app.droplet_guid) changes.push('New droplet deployed.');
  // A sealed value is a new text each time it is written, also when the variables are the same.
  if (last.env_sealed !== now.app.env_sealed) changes.push('New environment variables deployed.');
  for (const [type, command] of Object.entries(now.commands)) {
    const before = last.commands[type] ?? null;
    if (before === command) continue;
    const what = before === null ? 'added' : command === null ? 'removed' : 'updated';
    changes.push(`Custom start command ${what} for '${type}' process.`);
  }
  return changes;
}
