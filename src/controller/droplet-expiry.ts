import { expiredDroplets } from '../core/droplet-retention.ts';
import type { Controller } from './api/controller.ts';
import { listDropletsInUse, listDropletsOf, updateDroplet } from './store/droplet.ts';
import { listPackagesOf, updatePackage } from './store/package.ts';

/** Removes the content of an app's droplets and packages beyond the newest few; rows stay, as EXPIRED. */
export async function expireOldContent(controller: Controller, appGuid: string): Promise<void> {
  const { db, blobs, config } = controller;
  const kept = config.controller.dropletsKept;
  const inUse = await listDropletsInUse(db, appGuid);
  const droplets = (await listDropletsOf(db, appGuid)).filter(({ state }) => state === 'STAGED');
  for (const guid of expiredDroplets(droplets.map(aged), { kept, inUse })) {
    await updateDroplet(db, guid, { state: 'EXPIRED' });
    await blobs.delete(`droplets/${guid}`);
  }
  const packages = (await listPackagesOf(db, appGuid)).filter(({ state }) => state === 'READY');
  for (const guid of expiredDroplets(packages.map(aged), { kept, inUse: new Set() })) {
    await updatePackage(db, guid, { state: 'EXPIRED' });
    await blobs.delete(`packages/${guid}`);
  }
}

const aged = ({ guid, created_at }: { guid: string; created_at: Date }) => ({
  guid,
  createdAtMs: created_at.getTime(),
});
