import type { Bus } from '../bus/bus.ts';
import { componentPart } from '../bus/component.ts';
import type { Boot } from '../platform/config.ts';
import { type Part, part } from '../platform/lifecycle.ts';
import { varzOf } from './counts.ts';
import type { DesiredSource } from './desired.ts';
import { HealthManager } from './health-manager.ts';
import type { Leadership } from './leadership.ts';
import type { Notebook } from './notebook.ts';

export type HealthAdapters = {
  readonly source: DesiredSource;
  readonly leadership: Leadership;
  readonly notebook: Notebook;
};

/** The health manager as parts of a process. */
export function healthParts(boot: Boot, bus: Bus, adapters: HealthAdapters): Part[] {
  const { clock, log, config } = boot;
  const manager = new HealthManager({ bus, clock, log, config: config.health, ...adapters });
  return [
    part('health manager', () => {
      manager.start();
      return () => manager[Symbol.asyncDispose]();
    }),
    componentPart({
      type: 'HealthManager',
      bus,
      boot,
      varz: () => ({
        leader: adapters.leadership.isLeader(),
        stale: manager.staleBecause ?? null,
        ...varzOf(manager.world, manager.counts, (crashes) => crashes > config.health.freeCrashes),
      }),
    }),
  ];
}
