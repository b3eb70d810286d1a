import { subjects } from '../../contract/subjects.ts';
import { listProcesses } from '../../core/role-plan.ts';
import { systemClock } from '../../platform/clock.ts';
import { stopProcesses } from '../lifecycle.ts';
import type { Node } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { Refusal } from '../refusal.ts';
import type { Terminal } from '../terminal.ts';

const ASK_EVERY_MS = 1000;
const ANSWER_MS = 5000;

/**
 * Moves the instances of this node's DEA to others, then stops it. May be repeated and broken off at any time: an
 * instance goes on until its replacement runs.
 *
 * @returns how many instances were moved
 * @throws Refusal when there is no DEA here, it does not answer, or time is up; then it goes on evacuating
 */
export async function retire(
  node: Node,
  { terminal, signal, timeoutMs }: { terminal: Terminal; signal: AbortSignal; timeoutMs: number },
): Promise<number> {
  const plans = listProcesses(node.file).filter(({ role }) => role === 'dea');
  if (plans.length === 0) throw new Refusal('this node has no DEA', '`kato node list` shows the roles of each node');
  await using probe = new ReadinessProbe(node);
  const endMs = systemClock.nowMs() + timeoutMs;
  let first: number | undefined;
  for (;;) {
    const bus = await probe.bus();
    const [answer] =
      (await bus?.request(subjects.deaEvacuate, [node.file.id], {}, { timeoutMs: ANSWER_MS, signal })) ?? [];
    if (answer === undefined)
      throw new Refusal('the DEA does not answer', 'look at `kato status`, then retire it again');
    const { instances } = answer;
    if (first === undefined) terminal.say(`${instances} instances to move`);
    first ??= instances;
    if (instances === 0) break;
    if (systemClock.nowMs() >= endMs) {
      throw new Refusal(
        `${instances} instances found no place elsewhere in time`,
        'add a DEA or scale apps down, and retire it again; `kato restart dea` keeps it in service',
      );
    }
    terminal.progress(`${instances} instances to go`);
    await systemClock.sleep(ASK_EVERY_MS, signal);
  }
  await stopProcesses(node, plans, { say: terminal.say, signal });
  return first;
}
