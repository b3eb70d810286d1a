import type { ChangeApplier } from './apply-change.ts';
import type { DeaDirectory } from './dea-directory.ts';
import type { InstanceDirectory } from './instances.ts';
import type { PlacementNews } from './placement-news.ts';
import type { ResourceCache } from './resource-cache.ts';
import type { StagerDirectory } from './stager-directory.ts';
import type { Staging } from './staging.ts';

/** What handlers of apps work with, besides the controller itself. */
export type AppServices = {
  readonly changes: ChangeApplier;
  readonly staging: Staging;
  readonly instances: InstanceDirectory;
  readonly deas: DeaDirectory;
  readonly news: PlacementNews;
  readonly stagers: StagerDirectory;
  readonly resources: ResourceCache;
  /** A folder for uploads on their way; emptied at start. */
  readonly scratch: string;
};
