import { reservedHosts } from '../../contract/hosts.ts';
import type { RoutesRepaired } from '../../contract/routes-repair.ts';
import { ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { listRoutedApps, listTakenHosts } from '../store/routes-repair.ts';

const AT_ONCE = 500;

/** What `kato data repair routes` asks. */
export const routesRepairRoutes: readonly Route[] = [
  route({
    method: 'POST',
    path: '/internal/v1/routes_repair',
    summary: 'Tell every running instance its routes again (kato)',
    permission: { kind: 'signed' },
    query: { params: ['expires', 'signature'] },
    handler: async ({ controller }) => {
      const { db, events, config } = controller;
      let count = 0;
      for (let after = ''; ; ) {
        const apps = await listRoutedApps(db, { after, limit: AT_ONCE });
        await events.onRoutesChanged(apps);
        count += apps.length;
        if (apps.length < AT_ONCE) break;
        after = apps.at(-1) ?? after;
      }
      const { domain } = config.cluster;
      const reserved = (await listTakenHosts(db, domain, reservedHosts)).map((host) => `${host}.${domain}`);
      return ok({ apps: count, reserved } satisfies RoutesRepaired);
    },
  }),
];
