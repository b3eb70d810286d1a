import { expiredDroplets } from '../core/droplet-retention.ts';
import type { Controller } from './api/controller.ts';
import { listOpenBuilds } from './store/build.ts';
import { listDropletsInUse, listDropletsOf, updateDroplet } from './store/droplet.ts';
import { deleteAbandonedPackages, listPackagesOf, updatePackage } from './store/package.ts';

/** Nobody comes back to a push of yesterday. */
const ABANDONED_S = 86_400;

/**
 * Removes the content of an app's droplets and packages beyond the newest few; rows stay, as EXPIRED. Packages whose
 * upload broke off long ago go altogether.
 */
export async function expireOldContent(controller: Controller, appGuid: string): Promise<void> {
  const { db, blobs, config } = controller;
  const kept = config.controller.dropletsKept;
  const inUse = await listDropletsInUse(db, appGuid);
  const droplets = (await listDropletsOf(db, appGuid)).filter(({ state }) => state === 'STAGED');
  for (const guid of expiredDroplets(droplets.map(aged), { kept, inUse })) {
    await updateDroplet(db, guid, { state: 'EXPIRED' });
    await blobs.delete(`droplets/${guid}`);
  }
  const sources = droplets.filter(({ guid }) => inUse.has(guid)).map(({ package_guid }) => package_guid);
  const staging = (await listOpenBuilds(db, appGuid)).map(({ package_guid }) => package_guid);
  const needed = new Set([...sources, ...staging].filter((guid) => guid !== null));
  const packages = (await listPackagesOf(db, appGuid)).filter(({ state }) => state === 'READY');
  for (const guid of expiredDroplets(packages.map(aged), { kept, inUse: needed })) {
    await updatePackage(db, guid, { state: 'EXPIRED' });
    await blobs.delete(`packages/${guid}`);
  }
  await deleteAbandonedPackages(db, appGuid, ABANDONED_S);
}

const aged = ({ guid, created_at }: { guid: string; created_at: Date }) => ({
  guid,
  createdAtMs: created_at.getTime(),
});
