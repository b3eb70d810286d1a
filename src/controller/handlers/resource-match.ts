import Type from 'typebox';
import { matchResources, type Resource } from '../../core/resource-match.ts';
import { created } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { asResource } from '../package-upload.ts';
import { isFeatureEnabled } from '../store/feature-flag.ts';
import { findResources, touchResources } from '../store/resource-match.ts';

const MAX_RESOURCES = 5000;

/** Which files of a package need not be uploaded. */
export const resourceMatchRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/v3/resource_matches',
    summary: 'Find the files that the server has already',
    permission: { kind: 'authenticated' },
    body: Type.Object({ resources: Type.Array(Type.Unknown(), { minItems: 1, maxItems: MAX_RESOURCES }) }),
    bodyLimit: 16 * 1024 * 1024,
    handler: async ({ controller, body }) => {
      if (!(await isFeatureEnabled(controller.db, 'resource_matching'))) return created({ resources: [] });
      const asked = body.resources.map(asResource).filter((resource) => resource !== undefined);
      const known = await findResources(controller.db, [...new Set(asked.map(({ sha1 }) => sha1))]);
      // They stay for as long as an upload takes.
      await touchResources(controller.db, [...known.keys()]);
      return created({ resources: matchResources(asked, known).map(present) });
    },
  }),
];

function present({ sha1, bytes, path, mode }: Resource) {
  return { checksum: { value: sha1 }, size_in_bytes: bytes, path, mode };
}
