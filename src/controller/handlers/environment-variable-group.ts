import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import type { Controller } from '../api/controller.ts';
import { ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { formatTime } from '../api/timestamp.ts';
import { findGroup, type GroupRow, saveGroup } from '../store/environment-variable-group.ts';

const Value = Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]);
const MAX_BYTES = 65_536;

/** Variables that every running app, or every staging, gets. */
export const environmentVariableGroupRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/environment_variable_groups/:name',
    summary: 'Get an environment variable group',
    permission: { kind: 'authenticated' },
    handler: async ({ controller, params, baseUrl }) => {
      checkName(params.name);
      return ok(present(controller, await findGroup(controller.db, params.name), { name: params.name, baseUrl }));
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/environment_variable_groups/:name',
    summary: 'Set and remove variables of a group',
    permission: { kind: 'admin' },
    body: Type.Object({ var: Type.Record(Type.String(), Value) }, { additionalProperties: false }),
    handler: async ({ controller, params, body, baseUrl }) => {
      checkName(params.name);
      const wrong = Object.keys(body.var).find(
        (key) => key === '' || key === 'PORT' || /^(VCAP_|VMC)/i.test(key) || /[=\0]/.test(key),
      );
      if (wrong !== undefined) {
        throw new PlatformError(
          'UnprocessableEntity',
          `Environment variable '${wrong}' cannot be set: the platform sets it, or it is no name.`,
        );
      }
      const row = await controller.db.transaction().execute(async (tx) => {
        const merged = { ...variablesOf(controller, await findGroup(tx, params.name)), ...body.var };
        const kept = Object.entries(merged).flatMap(([key, value]) => (value === null ? [] : [[key, String(value)]]));
        const text = JSON.stringify(Object.fromEntries(kept));
        if (text.length > MAX_BYTES)
          throw new PlatformError('UnprocessableEntity', 'The variables are larger than 64 KB together.');
        return saveGroup(tx, params.name, controller.box.seal(text));
      });
      return ok(present(controller, row, { name: params.name, baseUrl }));
    },
  }),
];

function checkName(name: string): void {
  if (name !== 'running' && name !== 'staging') {
    throw new PlatformError('ResourceNotFound', 'Environment variable group not found');
  }
}

function variablesOf({ box }: Pick<Controller, 'box'>, row: GroupRow | undefined): Record<string, string> {
  return row ? (JSON.parse(box.open(row.sealed)) as Record<string, string>) : {};
}

function present(
  controller: Pick<Controller, 'box'>,
  row: GroupRow | undefined,
  { name, baseUrl }: { name: string; baseUrl: string },
) {
  return {
    name,
    var: variablesOf(controller, row),
    updated_at: row ? formatTime(row.updated_at) : null,
    links: { self: { href: `${baseUrl}/v3/environment_variable_groups/${name}` } },
  };
}
