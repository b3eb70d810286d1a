import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { ToOne } from '../api/relationship.ts';
import { ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { recordAppEvent } from '../app-event.ts';
import { assignDroplet, startApp, stopApp } from '../app-life.ts';
import { sayToApp } from '../app-log.ts';
import type { AppServices } from '../app-services.ts';
import { presentApp } from '../present/app.ts';
import { presentDroplet } from '../present/droplet.ts';
import { getApp } from '../store/app.ts';
import { hasActiveDeployment } from '../store/deployment.ts';
import { getDroplet } from '../store/droplet.ts';

/** Start, stop, restart, and the current droplet. */
export const appActionRoutes = ({ changes }: AppServices): readonly Route[] => [
  ...(['start', 'restart'] as const).map((action) =>
    route({
      method: 'POST',
      path: `/v3/apps/:guid/actions/${action}` as const,
      summary: `${action === 'start' ? 'Start' : 'Restart'} an app`,
      permission: { kind: 'resource', of: 'app', may: 'space.operate' },
      handler: async ({ controller, caller, params, baseUrl }) => {
        const app = await changes.change(params.guid, async (tx, now) => {
          if (action === 'restart') await refuseDuringDeployment(tx, now.guid);
          const started = await startApp(controller, tx, { app: now, isRestart: action === 'restart' });
          await recordAppEvent(tx, { controller, actor: caller.actor }, { app: now, type: action });
          return started;
        });
        sayToApp(controller, app, {
          text: action === 'start' ? `Starting app with guid ${app.guid}` : `Restarted app with guid ${app.guid}`,
        });
        return ok(presentApp(app, baseUrl));
      },
    }),
  ),
  route({
    method: 'POST',
    path: '/v3/apps/:guid/actions/stop',
    summary: 'Stop an app',
    permission: { kind: 'resource', of: 'app', may: 'space.operate' },
    handler: async ({ controller, caller, params, baseUrl }) => {
      const app = await changes.change(params.guid, async (tx, now) => {
        await refuseDuringDeployment(tx, now.guid);
        await recordAppEvent(tx, { controller, actor: caller.actor }, { app: now, type: 'stop' });
        return stopApp(tx, now);
      });
      sayToApp(controller, app, { text: `Stopping app with guid ${app.guid}` });
      return ok(presentApp(app, baseUrl));
    },
  }),
  route({
    method: 'GET',
    path: '/v3/apps/:guid/relationships/current_droplet',
    summary: 'Get which droplet an app starts with',
    permission: { kind: 'resource', of: 'app', may: 'space.read' },
    handler: async ({ controller, params, baseUrl }) => {
      const app = await getApp(controller.db, params.guid);
      if (app.droplet_guid === null) throw new PlatformError('ResourceNotFound', 'Droplet not found');
      return ok(dropletRelation(app.guid, app.droplet_guid, baseUrl));
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/apps/:guid/relationships/current_droplet',
    summary: 'Choose the droplet an app starts with',
    permission: { kind: 'resource', of: 'app', may: 'space.operate' },
    body: Type.Object({ data: Type.Optional(ToOne.properties.data) }),
    handler: async ({ controller, caller, params, body, baseUrl }) => {
      const dropletGuid = body.data?.guid ?? '';
      const app = await changes.change(params.guid, async (tx, now) => {
        const changed = await assignDroplet(controller, tx, { app: now, dropletGuid });
        const data = { request: { droplet_guid: dropletGuid } };
        await recordAppEvent(tx, { controller, actor: caller.actor }, { app: now, type: 'droplet.mapped', data });
        return changed;
      });
      sayToApp(controller, app, {
        text: `Updated app with guid ${app.guid} (${JSON.stringify({ droplet_guid: dropletGuid })})`,
      });
      return ok(dropletRelation(app.guid, dropletGuid, baseUrl));
    },
  }),
  route({
    method: 'GET',
    path: '/v3/apps/:guid/droplets/current',
    summary: 'Get the droplet an app starts with',
    permission: { kind: 'resource', of: 'app', may: 'space.read' },
    handler: async ({ controller, params, baseUrl }) => {
      const app = await getApp(controller.db, params.guid);
      return ok(presentDroplet(await getDroplet(controller.db, app.droplet_guid ?? ''), baseUrl, false));
    },
  }),
];

async function refuseDuringDeployment(tx: Parameters<typeof hasActiveDeployment>[0], appGuid: string): Promise<void> {
  if (!(await hasActiveDeployment(tx, appGuid))) return;
  throw new PlatformError('StopDisabledDuringDeployment');
}

function dropletRelation(appGuid: string, dropletGuid: string, baseUrl: string) {
  const self = `${baseUrl}/v3/apps/${appGuid}`;
  return {
    data: { guid: dropletGuid },
    links: {
      self: { href: `${self}/relationships/current_droplet` },
      related: { href: `${self}/droplets/current` },
    },
  };
}
