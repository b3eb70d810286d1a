import { PlatformError } from '../../contract/errors.ts';
import { deleteDomainsOf } from '../store/domain.ts';
import type { JobRow } from '../store/job.ts';
import { deleteOrganization, findOrganizations } from '../store/organization.ts';
import { deleteUnmappedRoutes } from '../store/route.ts';
import type { SpaceRow } from '../store/space.ts';
import { deleteSpace, findSpaces, listSpacesOf } from '../store/space.ts';
import type { Caller } from './caller.ts';
import type { Controller } from './controller.ts';
import { JobErrors, type JobHandlers } from './job-worker.ts';

const SYSTEM: Caller['actor'] = { guid: 'system', type: 'system', name: 'system' };

/** The jobs that delete spaces and organizations with everything in them. Each may be repeated from the start. */
export const deletionJobs: JobHandlers = {
  'space.delete': async (controller, job) => {
    const [space] = await findSpaces(controller.db, [job.resource_guid ?? '']);
    if (space) await emptyAndDelete(controller, space, actorOf(job));
    return undefined;
  },
  'organization.delete': async (controller, job) => {
    const [organization] = await findOrganizations(controller.db, [job.resource_guid ?? '']);
    if (!organization) return undefined;
    const errors: PlatformError[] = [];
    for (const space of await listSpacesOf(controller.db, organization.guid)) {
      try {
        await emptyAndDelete(controller, space, actorOf(job));
      } catch (error) {
        if (!(error instanceof PlatformError)) throw error;
        errors.push(error);
      }
    }
    if (errors.length > 0) {
      const detail = `Deletion of organization ${organization.name} failed because one or more resources within could not be deleted.`;
      throw new JobErrors([new PlatformError('UnprocessableEntity', detail), ...errors]);
    }
    await controller.db.transaction().execute(async (tx) => {
      await deleteDomainsOf(tx, organization.guid);
      await deleteOrganization(tx, organization.guid);
    });
    return undefined;
  },
  'space.delete_unmapped_routes': async (controller, job) => {
    await controller.db.transaction().execute((tx) => deleteUnmappedRoutes(tx, job.resource_guid ?? ''));
    return undefined;
  },
};

async function emptyAndDelete(controller: Controller, space: SpaceRow, actor: Caller['actor']): Promise<void> {
  await controller.events.deleteAppsOf(space.guid, actor);
  const lost = await controller.db.transaction().execute((tx) => deleteSpace(tx, space.guid));
  await controller.events.onRoutesChanged(lost);
}

function actorOf(job: JobRow): Caller['actor'] {
  const { actor } = (job.payload ?? {}) as { actor?: Caller['actor'] };
  return actor ?? SYSTEM;
}
