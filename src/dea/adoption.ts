import type { ContainerEngine, ContainerInfo } from '../container/container.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { Instance, type InstanceRecord } from './instance.ts';
import type { Keeper } from './keeper.ts';
import { deaLabel } from './launch.ts';
import type { Registry } from './registry.ts';

export type AdoptionParts = {
  readonly engine: ContainerEngine;
  readonly keeper: Keeper;
  readonly registry: Registry;
  readonly clock: Clock;
  readonly log: Log;
};

/** What becomes of an instance that a predecessor knew. */
export type Fate = 'go-on' | 'keep-crashed' | 'launch-again' | 'finish-stop' | 'report-lost' | 'forget';

/** Decides an instance's fate by its recorded state and what the engine has of it. */
export function fateOf(record: Pick<InstanceRecord, 'state'>, found: Pick<ContainerInfo, 'state'> | undefined): Fate {
  switch (record.state) {
    case 'CRASHED':
      return found ? 'keep-crashed' : 'forget';
    case 'STOPPING':
      return found ? 'finish-stop' : 'forget';
    case 'BORN':
    case 'STARTING':
      return found && found.state !== 'created' ? 'go-on' : 'launch-again';
    case 'RUNNING':
    case 'EVACUATING':
      return found ? 'go-on' : 'report-lost';
    case 'STOPPED':
      return 'forget';
  }
}

/** Takes over what a predecessor left; what nobody knows any more is removed. */
export async function adopt(parts: AdoptionParts, records: readonly InstanceRecord[]): Promise<void> {
  const { engine, registry, clock, log } = parts;
  const containers = new Map<string, ContainerInfo>();
  for (const info of await engine.list()) {
    if (info.labels.component === deaLabel.component) containers.set(info.handle, info);
  }
  for (const record of records) {
    const found = containers.get(record.instance);
    const fate = fateOf(record, found);
    const { droplet, index } = record.message;
    log.info('adopted-instance', { instance: record.instance, droplet, index, state: record.state, fate });
    if (fate === 'forget') continue;
    const instance = new Instance(record, clock.nowMs());
    registry.add(instance);
    await meetFate(parts, instance, { fate, found });
  }
  for (const handle of containers.keys()) {
    if (registry.has(handle)) continue;
    log.info('removed-unknown-container', { handle });
    await engine.destroy(handle);
  }
}

async function meetFate(
  { engine, keeper, log }: AdoptionParts,
  instance: Instance,
  { fate, found }: { fate: Fate; found: ContainerInfo | undefined },
): Promise<void> {
  if (fate === 'report-lost') return keeper.giveUp(instance, 'its container is gone');
  if (fate === 'launch-again') {
    await engine.destroy(instance.id);
    void keeper.launch(instance);
    return;
  }
  if (!found || fate === 'keep-crashed') return;
  instance.placement ??= { address: found.address, hostPort: found.ports[0]?.hostPort ?? 0 };
  if (instance.startedAtMs === 0 && found.state !== 'created') instance.startedAtMs = found.createdAtMs;
  if (fate === 'go-on') return keeper.adopt(instance, found.state === 'running');
  keeper.resumeStop(instance).catch((error: unknown) => {
    log.error('failed-to-stop-instance', { instance: instance.id, error });
  });
}
