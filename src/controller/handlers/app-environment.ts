import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { systemHosts } from '../../contract/hosts.ts';
import { vcapApplication } from '../../core/app-env.ts';
import { authorize } from '../api/authorization.ts';
import { ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { mergeEnvironment, openEnvironment, sealEnvironment } from '../app-environment.ts';
import { recordAppEvent } from '../app-event.ts';
import type { AppServices } from '../app-services.ts';
import { FDS } from '../apply-change-launch.ts';
import { getApp, getAppPlace, updateApp } from '../store/app.ts';
import { findSealedGroup } from '../store/app-launch.ts';
import { getProcessOfType, listAddresses } from '../store/process.ts';
import { envText } from './app.ts';

/** An app's environment, and what the caller may see of the app. */
export const appEnvironmentRoutes = ({ changes }: AppServices): readonly Route[] => [
  route({
    method: 'GET',
    path: '/v3/apps/:guid/env',
    summary: 'Get everything in the environment of an app',
    permission: { kind: 'resource', of: 'app', may: 'space.read-environment' },
    handler: async ({ controller, caller, params }) => {
      const { db, box, config } = controller;
      const app = await getApp(db, params.guid);
      const place = await getAppPlace(db, app.space_guid);
      const process = await getProcessOfType(db, app.guid, 'web');
      const uris = (await listAddresses(db, app.guid)).filter(({ type }) => type === 'web').map(({ uri }) => uri);
      const limits = { memoryMb: process.memory_in_mb, diskMb: process.disk_in_mb, fds: FDS };
      const apiUrl = `https://${systemHosts(config.cluster.domain).api}`;
      await db
        .transaction()
        .execute((tx) => recordAppEvent(tx, { controller, actor: caller.actor }, { app, type: 'environment.show' }));
      return ok({
        staging_env_json: openEnvironment(box, await findSealedGroup(db, 'staging')),
        running_env_json: openEnvironment(box, await findSealedGroup(db, 'running')),
        environment_variables: openEnvironment(box, app.env_sealed),
        system_env_json: { VCAP_SERVICES: {} },
        application_env_json: {
          VCAP_APPLICATION: { ...vcapApplication({ apiUrl, app, process, ...place, uris, limits }), users: null },
        },
      });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/apps/:guid/environment_variables',
    summary: 'Get the variables a user gave an app',
    permission: { kind: 'resource', of: 'app', may: 'space.read-environment' },
    handler: async ({ controller, caller, params, baseUrl }) => {
      const app = await getApp(controller.db, params.guid);
      await controller.db
        .transaction()
        .execute((tx) =>
          recordAppEvent(tx, { controller, actor: caller.actor }, { app, type: 'environment_variables.show' }),
        );
      return ok(presentVariables(openEnvironment(controller.box, app.env_sealed), app.guid, baseUrl));
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/apps/:guid/environment_variables',
    summary: 'Set variables of an app, or remove them with null',
    permission: { kind: 'resource', of: 'app', may: 'space.operate' },
    body: Type.Object({ var: Type.Record(Type.String(), Type.Unknown()) }),
    handler: async ({ controller, caller, params, body, baseUrl }) => {
      const patch = Object.fromEntries(
        Object.entries(body.var).map(([key, value]) => [key, value === null ? null : envText(key, value)]),
      );
      const variables = await changes.change(params.guid, async (tx, app) => {
        const merged = mergeEnvironment(openEnvironment(controller.box, app.env_sealed), patch);
        await updateApp(tx, app.guid, { env_sealed: sealEnvironment(controller.box, merged) });
        const data = { request: { environment_variables: '[PRIVATE DATA HIDDEN]' } };
        await recordAppEvent(tx, { controller, actor: caller.actor }, { app, type: 'update', data });
        return merged;
      });
      return ok(presentVariables(variables, params.guid, baseUrl));
    },
  }),
  route({
    method: 'GET',
    path: '/v3/apps/:guid/permissions',
    summary: 'Get what the caller may see of an app',
    permission: { kind: 'resource', of: 'app', may: 'space.read' },
    handler: async ({ controller, caller, params }) => {
      const isAllowed = await authorize(controller, caller, {
        of: 'app',
        guid: params.guid,
        may: 'space.read-secrets',
      }).then(
        () => true,
        (error: unknown) => {
          if (error instanceof PlatformError) return false;
          throw error;
        },
      );
      return ok({ read_basic_data: true, read_sensitive_data: isAllowed });
    },
  }),
];

function presentVariables(variables: Readonly<Record<string, unknown>>, appGuid: string, baseUrl: string) {
  const app = `${baseUrl}/v3/apps/${appGuid}`;
  return { var: variables, links: { self: { href: `${app}/environment_variables` }, app: { href: app } } };
}
