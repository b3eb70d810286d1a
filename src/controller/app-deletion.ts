import type { BlobStore } from '../blobstore/blobstore.ts';
import type { Caller } from './api/caller.ts';
import type { Controller } from './api/controller.ts';
import type { JobHandlers } from './api/job-worker.ts';
import { recordAppEvent } from './app-event.ts';
import { stopApp } from './app-life.ts';
import { sayToApp } from './app-log.ts';
import type { AppServices } from './app-services.ts';
import { deleteApp, isAppThere, listAppsOfSpace } from './store/app.ts';
import { listDropletsOf } from './store/droplet.ts';
import { listPackagesOf } from './store/package.ts';

/** Jobs of apps. `services` is asked when a job runs. */
export function appJobs(services: () => AppServices): JobHandlers {
  return {
    'app.delete': async (controller, job) => {
      await deleteAppWithContent(controller, services(), job.resource_guid ?? '');
      return undefined;
    },
    'package.delete': async ({ blobs }, job) => deleteBlobs(blobs, job.payload),
    'droplet.delete': async ({ blobs }, job) => deleteBlobs(blobs, job.payload),
    // The content was stored before the job was; there is nothing left to do.
    'droplet.upload': async () => undefined,
  };
}

/** Deletes an app with all that belongs to it; running it again after an interruption finishes the work. */
export async function deleteAppWithContent(
  controller: Controller,
  services: AppServices,
  appGuid: string,
): Promise<void> {
  const { db, blobs } = controller;
  await services.staging.cancel(appGuid, 'the app is being deleted');
  const droplets = await listDropletsOf(db, appGuid);
  const packages = await listPackagesOf(db, appGuid);
  for (const { guid } of packages) await blobs.delete(`packages/${guid}`);
  for (const { guid } of droplets) await blobs.delete(`droplets/${guid}`);
  for await (const key of blobs.list(`buildpack_cache/${appGuid}/`)) await blobs.delete(key);
  if (!(await isAppThere(db, appGuid))) return;
  await services.changes.change(appGuid, async (tx, app) => {
    await deleteApp(tx, app.guid);
    sayToApp(controller, app, { text: `Deleted app with guid ${app.guid}` });
  });
}

/** Deletes every app of a space. */
export async function deleteAppsOfSpace(
  controller: Controller,
  services: AppServices,
  space: { readonly guid: string; readonly actor: Caller['actor'] },
): Promise<void> {
  for (const app of await listAppsOfSpace(controller.db, space.guid)) {
    await services.changes.change(app.guid, async (tx, now) => {
      await stopApp(tx, now);
      await recordAppEvent(tx, { controller, actor: space.actor }, { app: now, type: 'delete-request' });
    });
    await deleteAppWithContent(controller, services, app.guid);
  }
}

async function deleteBlobs(blobs: BlobStore, payload: unknown): Promise<undefined> {
  const { blobs: keys = [] } = (payload ?? {}) as { blobs?: string[] };
  for (const key of keys) await blobs.delete(key);
  return undefined;
}
