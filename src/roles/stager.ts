import { mkdir } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join } from 'node:path';
import type { Bus } from '../bus/bus.ts';
import { componentPart } from '../bus/component.ts';
import { openFence } from '../container/fence/fence.ts';
import type { Boot } from '../platform/config.ts';
import { part } from '../platform/lifecycle.ts';
import { sourceRoot } from '../platform/paths.ts';
import { BuildpackStore } from '../stager/buildpack-store.ts';
import { Outbox } from '../stager/outbox.ts';
import { Stager } from '../stager/stager.ts';
import { copyTools } from '../stager/tool-copy.ts';
import type { Role } from './role.ts';

/** The stager on the node's fence. Tasks can't be adopted: however it ends, what it was staging has failed. */
export const stager: Role = (boot, bus) => {
  let running: Stager | undefined;
  return [
    part('stager', async () => {
      const { engine, outbox, component } = await buildStager(boot, bus);
      const listening = await component.start();
      running = component;
      return async () => {
        await listening[Symbol.asyncDispose]();
        await outbox.settled();
        await engine[Symbol.asyncDispose]();
      };
    }),
    componentPart({
      type: 'Stager',
      bus,
      boot,
      varz: () => running?.varz() ?? {},
      unwell: () => running?.unwell(),
    }),
  ];
};

async function buildStager(boot: Boot, bus: Bus) {
  const { clock, random, log, config, paths, node } = boot;
  const folders = { tasks: 'tasks', results: 'results', buildpacks: 'buildpacks' } as const;
  const at = (name: keyof typeof folders) => join(paths.stager, folders[name]);
  for (const name of Object.keys(folders) as (keyof typeof folders)[]) {
    await mkdir(at(name), { recursive: true, mode: 0o700 });
  }
  // What was begun before a process ends with it, so the copies of the one before are of no use any more.
  const tools = { builder: join(paths.stager, 'builder'), buildpacks: join(paths.stager, 'builtin-buildpacks') };
  await copyTools(join(sourceRoot, 'src', 'stager', 'builder'), tools.builder);
  await copyTools(join(sourceRoot, 'buildpacks'), tools.buildpacks);
  const engine = await openFence({
    directory: paths.fence,
    pool: 'stager',
    network: config.fence.network,
    hostPorts: { first: config.dea.hostPortFirst, last: config.dea.hostPortLast },
    deniedDestinations: config.fence.deniedDestinations,
    runtime: config.fence.runtime,
    storeMb: config.fence.storeMb,
    ...(config.staging.caFile ? { caFile: config.staging.caFile } : {}),
    clock,
    random,
    log,
  });
  const outbox = new Outbox({ folder: at('results'), clock, log, stop: boot.stop });
  const component = new Stager({
    id: node.id,
    bus,
    engine,
    clock,
    log,
    config,
    outbox,
    stager: config.stager,
    memoryMb: config.stager.memoryMb || Math.floor(totalmem() / 2 / 1_048_576),
    folder: at('tasks'),
    builder: tools.builder,
    buildpacks: new BuildpackStore({
      builtin: tools.buildpacks,
      folder: at('buildpacks'),
      clock,
      random,
    }),
  });
  return { engine, component, outbox };
}
