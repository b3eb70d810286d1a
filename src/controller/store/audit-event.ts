import { type Expression, type Selectable, type SqlBool, sql } from 'kysely';
import { isAllowedEverywhere } from '../../core/permissions.ts';
import type { Db } from '../../platform/db.ts';
import type { Caller } from '../api/caller.ts';
import type { Query } from '../api/query.ts';
import { among, fetchPage, type Page } from './page.ts';
import { inPermittedOrganizations, inPermittedSpaces } from './role-standing.ts';
import type { AuditEventTable, ControllerSchema } from './schema.ts';

export type AuditEventRow = Selectable<AuditEventTable>;

/** Records what was done, in the transaction that does it. `data` never holds values of environment variables. */
export async function recordEvent(
  tx: Db<ControllerSchema>,
  event: {
    readonly guid: string;
    /** `audit.app.create`, … */
    readonly type: string;
    readonly actor: { readonly guid: string; readonly type: string; readonly name: string };
    readonly target: { readonly guid: string; readonly type: string; readonly name: string };
    readonly spaceGuid?: string | undefined;
    readonly organizationGuid?: string | undefined;
    readonly data?: Readonly<Record<string, unknown>>;
  },
): Promise<void> {
  await tx
    .insertInto('audit_events')
    .values({
      guid: event.guid,
      type: event.type,
      actor_guid: event.actor.guid,
      actor_type: event.actor.type,
      actor_name: event.actor.name,
      target_guid: event.target.guid,
      target_type: event.target.type,
      target_name: event.target.name,
      space_guid: event.spaceGuid ?? null,
      organization_guid: event.organizationGuid ?? null,
      data: JSON.stringify(event.data ?? {}),
    })
    .execute();
}

export type AuditEventFilter = 'types' | 'target_guids' | 'space_guids' | 'organization_guids';

/** Events the caller may see: of spaces they may look into, and all of organizations they manage or audit. */
export function listAuditEvents(
  db: Db<ControllerSchema>,
  caller: Caller,
  query: Query<AuditEventFilter>,
): Promise<Page<AuditEventRow>> {
  return fetchPage(db.selectFrom('audit_events').selectAll('audit_events'), query, {
    table: 'audit_events',
    conditions: [
      visibleEvents(caller),
      among('audit_events.type', query.values('types')),
      among('audit_events.target_guid', query.values('target_guids')),
      among('audit_events.space_guid', query.values('space_guids')),
      among('audit_events.organization_guid', query.values('organization_guids')),
    ],
  });
}

export function findAuditEvent(
  db: Db<ControllerSchema>,
  caller: Caller,
  guid: string,
): Promise<AuditEventRow | undefined> {
  const condition = visibleEvents(caller);
  const found = db.selectFrom('audit_events').selectAll('audit_events').where('guid', '=', guid);
  return (condition ? found.where(condition) : found).executeTakeFirst();
}

function visibleEvents(caller: Caller): Expression<SqlBool> | undefined {
  if (isAllowedEverywhere('event.read', caller.powers)) return undefined;
  const inSpace = inPermittedSpaces(caller, 'space.read', 'audit_events.space_guid');
  const inOrganization = inPermittedOrganizations(caller, 'event.read', 'audit_events.organization_guid');
  return sql<SqlBool>`(${inSpace} or ${inOrganization})`;
}
