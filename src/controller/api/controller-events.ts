import type { Caller } from './caller.ts';

/** What organizations, spaces and routes tell the part of the controller that runs apps. Called after the commit. */
export interface ControllerEvents {
  /** Routes or destinations of these apps changed: running instances must register anew. */
  onRoutesChanged(appGuids: readonly string[]): Promise<void>;
  /** Deletes every app of a space and all that belongs to them; called by the job that deletes the space. Idempotent. */
  deleteAppsOf(spaceGuid: string, actor: Caller['actor']): Promise<void>;
}

/** Events that nobody hears. */
export const noEvents: ControllerEvents = {
  onRoutesChanged: async () => {},
  deleteAppsOf: async () => {},
};
