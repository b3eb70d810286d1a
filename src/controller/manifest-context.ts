import type { Caller } from './api/caller.ts';
import type { Controller } from './api/controller.ts';

/** Who applies a manifest, and where. */
export type ManifestContext = {
  readonly controller: Controller;
  readonly caller: Caller;
  readonly organizationGuid: string;
};
