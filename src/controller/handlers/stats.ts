import { ok } from '../api/reply.ts';
import { type ApiRequest, type Route, route } from '../api/route.ts';
import type { AppServices } from '../app-services.ts';
import { readStats } from '../instances-stats.ts';
import { getProcess, getProcessOfType } from '../store/process.ts';

/** Usage and state of instances. */
export const statsRoutes = (services: AppServices): readonly Route[] =>
  (['/v3/processes/:guid/stats', '/v3/apps/:guid/processes/:type/stats'] as const).map((path) => {
    const of = path.startsWith('/v3/apps') ? ('app' as const) : ('process' as const);
    return route({
      method: 'GET',
      path: path as string,
      summary: 'Get usage and state of each instance',
      permission: { kind: 'resource', of, may: 'space.read' },
      handler: async ({ controller, params }: ApiRequest) => {
        const process =
          of === 'process'
            ? await getProcess(controller.db, params.guid ?? '')
            : await getProcessOfType(controller.db, params.guid ?? '', params.type ?? '');
        return ok({ resources: await readStats(controller, services.instances, process) });
      },
    });
  });
