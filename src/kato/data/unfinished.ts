import type { Paths } from '../../platform/paths.ts';
import { findUnfinishedMove } from './move-database.ts';
import { findPendingSwitch } from './switch.ts';

/** Changes of the platform's data that were begun here and not finished. */
export async function unfinishedData(paths: Paths): Promise<{ what: string; command: string }[]> {
  const pending = await findPendingSwitch(paths);
  const moving = await findUnfinishedMove(paths);
  const name = pending?.takes === 'identity' ? 'restore' : 'import';
  return [
    ...(pending === undefined
      ? []
      : [{ what: `the ${name} of ${pending.archive}`, command: `kato data ${name} ${pending.archive}` }]),
    ...(moving === undefined
      ? []
      : [
          {
            what: `the move of the control database to ${moving.to ?? 'the Core'}`,
            command: moving.to === null ? 'kato config del database.url' : 'kato config set database.url - < URL',
          },
        ]),
  ];
}
