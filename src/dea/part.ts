import type { Bus } from '../bus/bus.ts';
import { componentPart } from '../bus/component.ts';
import type { ContainerEngine } from '../container/container.ts';
import { holdsMemory } from '../core/instance-state.ts';
import type { Boot } from '../platform/config.ts';
import { type Part, part } from '../platform/lifecycle.ts';
import { Dea } from './dea.ts';
import { networkProbe } from './probe.ts';

/** The DEA as parts of a process. */
export function deaParts(boot: Boot, bus: Bus, engine: () => Promise<ContainerEngine>): Part[] {
  let dea: Dea | undefined;
  return [
    part('dea', async () => {
      const containers = await engine();
      const opened = await Dea.open({ boot, bus, engine: containers, probe: networkProbe }).catch(async (error) => {
        await containers[Symbol.asyncDispose]();
        throw error;
      });
      dea = opened;
      return async () => {
        await (boot.stop.reason === 'SIGUSR2' ? opened.leave() : opened.shutDown());
        await containers[Symbol.asyncDispose]();
      };
    }),
    componentPart({ type: 'DEA', bus, boot, varz: () => (dea ? varzOf(dea) : {}) }),
  ];
}

function varzOf(dea: Dea): Record<string, unknown> {
  const { memoryMb, diskMb } = dea.capacity.available();
  const instances = dea.registry.list();
  const byApp: Record<string, Record<string, unknown>> = {};
  for (const { id, state, message } of instances) {
    const { index, limits, version } = message;
    byApp[message.droplet] = { ...byApp[message.droplet], [id]: { state, index, limits, version } };
  }
  return {
    apps_max_memory: dea.capacity.memoryMb,
    apps_reserved_memory: dea.registry.reserved().memoryMb,
    num_apps: instances.filter(({ state }) => holdsMemory(state)).length,
    available_memory_ratio: memoryMb / Math.max(1, dea.capacity.memoryMb),
    available_disk_ratio: diskMb / Math.max(1, dea.capacity.diskMb),
    can_stage: 0,
    instance_registry: byApp,
  };
}
