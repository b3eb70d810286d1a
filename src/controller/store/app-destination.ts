import type { Db } from '../../platform/db.ts';
import type { DestinationRow } from './destination.ts';
import type { ControllerSchema } from './schema.ts';

/** Where an app is mapped to. */
export function listDestinationsOfApp(db: Db<ControllerSchema>, appGuid: string): Promise<DestinationRow[]> {
  return db.selectFrom('destinations').selectAll().where('app_guid', '=', appGuid).orderBy('id').execute();
}
