import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { listed } from '../api/list.ts';
import { ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { formatTime } from '../api/timestamp.ts';
import { type FeatureFlagRow, listFeatureFlags, saveFeatureFlag } from '../store/feature-flag.ts';

/** Switches for what users who are no admins may do. */
export const featureFlagRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/feature_flags',
    summary: 'List feature flags',
    permission: { kind: 'authenticated' },
    query: { list: { order: ['name'] } },
    handler: async (request) => {
      const { controller, query, baseUrl } = request;
      const flags = await listFeatureFlags(controller.db);
      if (query.order.isDescending) flags.reverse();
      const start = (query.page - 1) * query.perPage;
      const page = { rows: flags.slice(start, start + query.perPage), total: flags.length };
      return listed(request, page, { present: (flag) => presentFlag(flag, baseUrl) });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/feature_flags/:name',
    summary: 'Get a feature flag',
    permission: { kind: 'authenticated' },
    handler: async ({ controller, params, baseUrl }) =>
      ok(presentFlag(await flagNamed(controller, params.name), baseUrl)),
  }),
  route({
    method: 'PATCH',
    path: '/v3/feature_flags/:name',
    summary: 'Switch a feature flag',
    permission: { kind: 'admin' },
    body: Type.Object(
      {
        enabled: Type.Optional(Type.Boolean()),
        custom_error_message: Type.Optional(Type.Union([Type.String({ maxLength: 250 }), Type.Null()])),
      },
      { additionalProperties: false },
    ),
    handler: async ({ controller, params, body, baseUrl }) => {
      const now = await flagNamed(controller, params.name);
      const { enabled = now.enabled, custom_error_message = now.custom_error_message } = body;
      await saveFeatureFlag(controller.db, now.name, { enabled, custom_error_message });
      return ok(presentFlag(await flagNamed(controller, params.name), baseUrl));
    },
  }),
];

async function flagNamed(
  { db }: { readonly db: Parameters<typeof listFeatureFlags>[0] },
  name: string,
): Promise<FeatureFlagRow> {
  const flag = (await listFeatureFlags(db)).find((one) => one.name === name);
  if (!flag) throw new PlatformError('ResourceNotFound', 'Feature flag not found');
  return flag;
}

function presentFlag(flag: FeatureFlagRow, baseUrl: string) {
  return {
    name: flag.name,
    enabled: flag.enabled,
    updated_at: flag.updated_at === null ? null : formatTime(flag.updated_at),
    custom_error_message: flag.custom_error_message,
    links: { self: { href: `${baseUrl}/v3/feature_flags/${flag.name}` } },
  };
}
