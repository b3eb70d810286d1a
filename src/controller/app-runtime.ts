import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Part, part } from '../platform/lifecycle.ts';
import type { Controller } from './api/controller.ts';
import type { ControllerEvents } from './api/controller-events.ts';
import type { Route } from './api/route.ts';
import { deleteAppsOfSpace } from './app-deletion.ts';
import type { AppServices } from './app-services.ts';
import { ChangeApplier } from './apply-change.ts';
import { DeaDirectory } from './dea-directory.ts';
import { appRoutes } from './handlers/app.ts';
import { appActionRoutes } from './handlers/app-action.ts';
import { appEnvironmentRoutes } from './handlers/app-environment.ts';
import { appFeatureRoutes } from './handlers/app-feature.ts';
import { buildRoutes } from './handlers/build.ts';
import { bulkRoutes } from './handlers/bulk.ts';
import { deploymentRoutes } from './handlers/deployment.ts';
import { dropletRoutes } from './handlers/droplet.ts';
import { internalRoutes } from './handlers/internal.ts';
import { manifestRoutes } from './handlers/manifest.ts';
import { packageRoutes } from './handlers/package.ts';
import { processRoutes } from './handlers/process.ts';
import { resourceMatchRoutes } from './handlers/resource-match.ts';
import { revisionRoutes } from './handlers/revision.ts';
import { sidecarRoutes } from './handlers/sidecar.ts';
import { statsRoutes } from './handlers/stats.ts';
import { taskRoutes } from './handlers/task.ts';
import { HealthRespondent } from './health-respondent.ts';
import { InstanceDirectory } from './instances.ts';
import { PlacementNews } from './placement-news.ts';
import { ResourceCache } from './resource-cache.ts';
import { ReturningDeas } from './returning-deas.ts';
import { StagerDirectory } from './stager-directory.ts';
import { Staging } from './staging.ts';
import { StagingWatch } from './staging-watch.ts';

/** Builds what runs and stages apps; it listens on the bus from now on. */
export function createAppServices(
  controller: Controller,
  scratch: string,
  options: { patienceMs?: number } = {},
): AppServices {
  const deas = new DeaDirectory(controller);
  const stagers = new StagerDirectory(controller);
  const instances = new InstanceDirectory(controller);
  const news = new PlacementNews(controller, { deas, instances });
  return {
    ...{ deas, stagers, instances, news, scratch },
    resources: new ResourceCache(controller),
    changes: new ChangeApplier(controller, { deas, news }),
    staging: new Staging(controller, stagers, options),
  };
}

/** The parts of a process that runs and stages apps. */
export function appParts(controller: Controller, services: AppServices): Part[] {
  return [
    part('uploads', async () => {
      await mkdir(services.scratch, { recursive: true, mode: 0o700 });
      // The folder itself belongs to a parent that this process may not change.
      for (const name of await readdir(services.scratch)) {
        await rm(join(services.scratch, name), { recursive: true, force: true });
      }
      return () => services.resources.idle();
    }),
    part('directories', () => async () => {
      await services.staging[Symbol.asyncDispose]();
      for (const directory of [services.deas, services.stagers, services.instances, services.news])
        directory[Symbol.dispose]();
    }),
    new HealthRespondent(controller, services).part(),
    new ReturningDeas(controller, services).part(),
    new StagingWatch(controller, services).part(),
  ];
}

/** What the organization side tells the app side. `services` is asked at each event. */
export function appEvents(controller: () => Controller, services: () => AppServices): ControllerEvents {
  return {
    onRoutesChanged: async (appGuids) => {
      for (const guid of appGuids) await services().changes.sendRoutes(guid);
    },
    deleteAppsOf: (guid, actor) => deleteAppsOfSpace(controller(), services(), { guid, actor }),
  };
}

/** Every route of apps and what belongs to them. */
export function appSideRoutes(services: AppServices): readonly Route[] {
  return [
    ...appRoutes(services),
    ...appActionRoutes(services),
    ...appEnvironmentRoutes(services),
    ...appFeatureRoutes(services),
    ...processRoutes(services),
    ...statsRoutes(services),
    ...packageRoutes(services),
    ...buildRoutes(services),
    ...dropletRoutes,
    ...deploymentRoutes,
    ...taskRoutes,
    ...revisionRoutes,
    ...sidecarRoutes,
    ...resourceMatchRoutes,
    ...manifestRoutes(services),
    ...internalRoutes(services),
    ...bulkRoutes,
  ];
}
