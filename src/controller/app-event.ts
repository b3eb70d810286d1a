import type { Caller } from './api/caller.ts';
import type { Controller, ControllerTx } from './api/controller.ts';
import type { AppRow } from './store/app.ts';
import { recordEvent } from './store/audit-event.ts';

/** Records what was done to an app: `audit.app.<type>`, in the transaction that does it. */
export function recordAppEvent(
  tx: ControllerTx,
  by: { readonly controller: Controller; readonly actor: Caller['actor'] },
  event: { readonly app: AppRow; readonly type: string; readonly data?: Readonly<Record<string, unknown>> },
): Promise<void> {
  const { app, type, data } = event;
  return recordEvent(tx, {
    guid: by.controller.random.guid(),
    type: `audit.app.${type}`,
    actor: by.actor,
    target: { guid: app.guid, type: 'app', name: app.name },
    spaceGuid: app.space_guid,
    ...(data ? { data } : {}),
  });
}
