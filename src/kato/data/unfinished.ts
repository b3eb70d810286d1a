import type { Paths } from '../../platform/paths.ts';
import type { LifecycleOptions } from '../lifecycle.ts';
import { type Node, openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { resumeImport } from './import.ts';
import { findUnfinishedMove, settleUnfinishedMove } from './move-database.ts';
import { inWords } from './other-controllers.ts';
import { findPendingSwitch } from './switch.ts';

/** Changes of the platform's data that were begun here and not finished. */
export async function unfinishedData(
  paths: Paths,
): Promise<{ kind: 'import' | 'move'; what: string; command: string }[]> {
  const pending = await findPendingSwitch(paths);
  const moving = await findUnfinishedMove(paths);
  const name = pending?.takes === 'identity' ? 'restore' : 'import';
  return [
    ...(pending === undefined
      ? []
      : [
          {
            kind: 'import' as const,
            what: `the ${name} of ${pending.archive}`,
            command: `kato data ${name} ${pending.archive}`,
          },
        ]),
    ...(moving === undefined
      ? []
      : [
          {
            kind: 'move' as const,
            what: `the move of the control database to ${moving.to ?? 'the Core'}`,
            command: moving.to === null ? 'kato config del database.url' : 'kato config set database.url - < URL',
          },
        ]),
  ];
}

/** Refuses to begin one change of the data while another one is half done. @param but of these kinds, which goes on with it */
export async function refuseUnfinished(paths: Paths, but: readonly string[] = []): Promise<void> {
  const [other] = (await unfinishedData(paths)).filter(({ kind }) => !but.includes(kind));
  if (other !== undefined)
    throw new Refusal(`${other.what} was cut short half-way`, `finish it first: ${other.command}`);
}

/** Brings to an end what was cut short, before anything starts on data that is half changed; gives the node as it is then. */
export async function finishData(node: Node, options: LifecycleOptions): Promise<Node> {
  const pending = await findPendingSwitch(node.paths);
  if (pending !== undefined) {
    for (const line of inWords(await resumeImport(node, pending, options))) options.say(line);
  }
  const isSettled = await settleUnfinishedMove(node, options);
  return pending !== undefined || isSettled ? openNode(node.paths.state) : node;
}
