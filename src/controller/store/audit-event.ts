import type { Selectable } from 'kysely';
import type { Db } from '../../platform/db.ts';
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
