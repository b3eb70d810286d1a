import type { Bus } from '../bus/bus.ts';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { subjects } from '../contract/subjects.ts';
import type { SettingChange } from '../core/config-change.ts';
import type { Node } from './node.ts';
import { ReadinessProbe } from './readiness.ts';
import { Refusal } from './refusal.ts';

const TIMEOUT_MS = 5000;

/** The cluster's settings as the primary has them. */
export type ConfigNow = {
  readonly revision: number;
  readonly config: ClusterConfig;
  /** Names of the secret settings that are set. */
  readonly secrets: readonly string[];
};

/** Asks the primary for the settings; undefined when it does not answer. */
export async function findConfig(bus: Bus): Promise<ConfigNow | undefined> {
  const [answer] = await bus.request(subjects.configGet, [], {}, { timeoutMs: TIMEOUT_MS });
  if (answer === undefined) return undefined;
  const { revision, config, secrets = [] } = answer;
  return { revision, config: decode(ClusterConfig, config, 'cluster configuration'), secrets };
}

/**
 * Has the primary change a setting; gives the revision.
 *
 * @throws Refusal with the primary's reason, or when it does not answer
 */
export async function changeConfig(node: Node, change: SettingChange): Promise<number> {
  await using probe = new ReadinessProbe(node);
  const bus = await probe.bus();
  const [answer] =
    bus === undefined ? [] : await bus.request(subjects.configSet, [], change, { timeoutMs: TIMEOUT_MS });
  if (answer === undefined) throw primaryIsSilent();
  if (answer.refused !== undefined) throw new Refusal(answer.refused, '`kato config get` lists every setting');
  return answer.revision;
}

export function primaryIsSilent(): Refusal {
  return new Refusal('the primary does not answer', 'run `kato status`, then `kato start primary` on the Core node');
}
