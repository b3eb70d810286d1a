import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { recordAppEvent } from '../app-event.ts';
import type { AppServices } from '../app-services.ts';
import { mergeFeatures } from '../feature-merge.ts';
import { getApp, getAppPlace, updateApp } from '../store/app.ts';

/** Features of apps: what they do, and whether they are on when nobody said. */
export const appFeatures: Readonly<Record<string, { description: string; enabled: boolean }>> = {
  ssh: { description: 'Enable SSHing into the app.', enabled: true },
  revisions: { description: 'Enable versioning of an application', enabled: true },
  'service-binding-k8s': { description: 'Enable k8s service bindings for the app', enabled: false },
  'file-based-vcap-services': { description: 'Enable file-based VCAP service bindings for the app', enabled: false },
};

/** Whether anything listens for SSH; clients are told, and the switches keep what was said. */
const IS_SSH_SERVED: boolean = false;

/** App features and the SSH switch. */
export const appFeatureRoutes = ({ changes }: AppServices): readonly Route[] => [
  route({
    method: 'GET',
    path: '/v3/apps/:guid/features',
    summary: 'List the features of an app',
    permission: { kind: 'resource', of: 'app', may: 'space.read' },
    handler: async ({ controller, params }) => {
      const { features } = await getApp(controller.db, params.guid);
      return ok({ resources: Object.keys(appFeatures).map((name) => presentFeature(features, name)) });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/apps/:guid/features/:name',
    summary: 'Get a feature of an app',
    permission: { kind: 'resource', of: 'app', may: 'space.read' },
    handler: async ({ controller, params }) =>
      ok(presentFeature((await getApp(controller.db, params.guid)).features, params.name)),
  }),
  route({
    method: 'PATCH',
    path: '/v3/apps/:guid/features/:name',
    summary: 'Switch a feature of an app',
    permission: { kind: 'resource', of: 'app', may: 'space.operate' },
    body: Type.Object({ enabled: Type.Boolean() }),
    handler: async ({ controller, caller, params, body }) => {
      const { name } = params;
      const app = await changes.change(params.guid, async (tx, now) => {
        presentFeature(now.features, name);
        const features = mergeFeatures(now.features, { [name]: body.enabled });
        const data = { request: { [name]: body.enabled } };
        await recordAppEvent(tx, { controller, actor: caller.actor }, { app: now, type: 'update', data });
        return updateApp(tx, now.guid, { features: JSON.stringify(features) });
      });
      return ok(presentFeature(app.features, name));
    },
  }),
  route({
    method: 'GET',
    path: '/v3/apps/:guid/ssh_enabled',
    summary: 'Get whether SSH into an app is possible',
    permission: { kind: 'resource', of: 'app', may: 'space.read' },
    handler: async ({ controller, params }) => {
      const app = await getApp(controller.db, params.guid);
      const { space } = await getAppPlace(controller.db, app.space_guid);
      if (!IS_SSH_SERVED) return ok({ enabled: false, reason: 'Disabled globally' });
      if (!space.sshEnabled) return ok({ enabled: false, reason: `Disabled for space ${space.name}` });
      const enabled = app.features.ssh ?? appFeatures.ssh?.enabled ?? false;
      return ok({ enabled, reason: enabled ? '' : `Disabled for app ${app.name}` });
    },
  }),
];

function presentFeature(features: Readonly<Record<string, boolean>>, name: string) {
  const feature = Object.hasOwn(appFeatures, name) ? appFeatures[name] : undefined;
  if (!feature) throw new PlatformError('ResourceNotFound', 'Feature not found');
  return { name, description: feature.description, enabled: features[name] ?? feature.enabled };
}
