import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { authorize } from '../api/authorization.ts';
import { listed } from '../api/list.ts';
import { MetadataPatch } from '../api/metadata.ts';
import { noContent, ok } from '../api/reply.ts';
import { type ApiRequest, type Route, route } from '../api/route.ts';
import { recordAppEvent } from '../app-event.ts';
import { sayToApp } from '../app-log.ts';
import type { AppServices } from '../app-services.ts';
import { HIDDEN_IN_LISTS, presentProcess } from '../present/process.ts';
import { checkColumns, patchProcess, scaleProcess } from '../process-change.ts';
import { getApp } from '../store/app.ts';
import { findDroplet } from '../store/droplet.ts';
import {
  getProcess,
  getProcessOfType,
  listProcesses,
  type ProcessFilter,
  type StatedProcess,
} from '../store/process.ts';

const Count = Type.Union([Type.Integer({ minimum: 0 }), Type.String({ pattern: '^-?\\d{1,15}$' })]);
const Rate = Type.Union([Type.Integer({ minimum: -1 }), Type.String({ pattern: '^-?\\d{1,15}$' })]);
const Seconds = Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 86_400 }), Type.Null()]));
const CheckType = Type.Union([Type.Literal('port'), Type.Literal('http'), Type.Literal('process')]);
const Endpoint = Type.Optional(Type.Union([Type.String({ pattern: '^/', maxLength: 255 }), Type.Null()]));
const HealthPatch = Type.Object({
  type: Type.Optional(CheckType),
  data: Type.Optional(
    Type.Object({ timeout: Seconds, invocation_timeout: Seconds, interval: Seconds, endpoint: Endpoint }),
  ),
});
// Closed: its keys name columns.
const ScaleBody = Type.Object(
  {
    instances: Type.Optional(Count),
    memory_in_mb: Type.Optional(Count),
    disk_in_mb: Type.Optional(Count),
    log_rate_limit_in_bytes_per_second: Type.Optional(Rate),
  },
  { additionalProperties: false },
);
const PatchBody = Type.Object({
  command: Type.Optional(Type.Union([Type.String({ minLength: 1, maxLength: 4096 }), Type.Null()])),
  user: Type.Optional(Type.Union([Type.String({ minLength: 1, maxLength: 255 }), Type.Null()])),
  health_check: Type.Optional(HealthPatch),
  readiness_health_check: Type.Optional(HealthPatch),
  metadata: Type.Optional(MetadataPatch),
});

const filters = ['types', 'app_guids', 'space_guids', 'organization_guids', 'embed'] as const satisfies ProcessFilter[];
const list = { order: ['created_at', 'updated_at'], isLabelled: true } as const;

/** Processes: lists, single ones, scale, checks and commands, and single instances. */
export const processRoutes = (services: AppServices): readonly Route[] => {
  const answerList = async (request: ApiRequest<string, ProcessFilter>, appGuid?: string) => {
    const { controller, caller, query, baseUrl } = request;
    const page = await listProcesses(controller.db, caller, appGuid === undefined ? { query } : { query, appGuid });
    const isEmbedded = query.values('embed')?.includes('process_instances') ?? false;
    return listed(request, page, {
      present: (row) => ({
        ...presentProcess(row, baseUrl, row.command === null ? null : HIDDEN_IN_LISTS),
        ...(isEmbedded ? { process_instances: instancesOf(services, row) } : {}),
      }),
    });
  };
  return [
    route({
      method: 'GET',
      path: '/v3/processes',
      summary: 'List processes',
      permission: { kind: 'authenticated' },
      query: { params: filters, list },
      handler: (request) => answerList(request),
    }),
    route({
      method: 'GET',
      path: '/v3/apps/:guid/processes',
      summary: 'List the processes of an app',
      permission: { kind: 'resource', of: 'app', may: 'space.read' },
      query: { params: filters, list },
      handler: (request) => answerList(request, request.params.guid),
    }),
    ...['/v3/processes/:guid', '/v3/apps/:guid/processes/:type'].flatMap((path) => processPair(path, services)),
  ];
};

/** The same routes for a process by its guid, and by its app and type. */
function processPair(path: string, services: AppServices): Route[] {
  const of = path.startsWith('/v3/apps') ? ('app' as const) : ('process' as const);
  const read = { kind: 'resource', of, may: 'space.read' } as const;
  const operate = { kind: 'resource', of, may: 'space.operate' } as const;
  const find = ({ controller, params }: Pick<ApiRequest, 'controller' | 'params'>): Promise<StatedProcess> =>
    of === 'process'
      ? getProcess(controller.db, params.guid ?? '')
      : getProcessOfType(controller.db, params.guid ?? '', params.type ?? '');
  return [
    route({
      method: 'GET',
      path,
      summary: 'Get a process',
      permission: read,
      handler: async (request) => {
        const process = await find(request);
        return ok(presentProcess(process, request.baseUrl, await visibleCommand(request, process)));
      },
    }),
    route({
      method: 'PATCH',
      path,
      summary: 'Change the command or the checks of a process',
      permission: operate,
      body: PatchBody,
      handler: async (request) => {
        const { controller, caller, body, baseUrl } = request;
        const process = await find(request);
        const columns = checkColumns(process, body);
        await services.changes.change(process.app_guid, async (tx, app) => {
          await patchProcess(tx, process, { columns, metadata: body.metadata });
          const data = { request: { command: '[PRIVATE DATA HIDDEN]' }, process_type: process.type };
          await recordAppEvent(tx, { controller, actor: caller.actor }, { app, type: 'process.update', data });
        });
        sayToApp(
          controller,
          { guid: process.app_guid, name: process.app_name },
          { text: `Updating process: "${process.type}"` },
        );
        const now = await getProcess(controller.db, process.guid);
        return ok(presentProcess(now, baseUrl, await visibleCommand(request, now)));
      },
    }),
    route({
      method: 'POST',
      path: `${path}/actions/scale`,
      summary: 'Change the number or the size of the instances of a process',
      permission: operate,
      body: ScaleBody,
      handler: async (request) => {
        const { controller, caller, body, baseUrl } = request;
        const process = await find(request);
        const wanted = Object.fromEntries(Object.entries(body).map(([key, value]) => [key, Number(value)]));
        await services.changes.change(process.app_guid, async (tx, app) => {
          await scaleProcess(controller, tx, { app, process, wanted, isAdmin: caller.isAdmin });
          const data = { request: wanted, process_type: process.type };
          await recordAppEvent(tx, { controller, actor: caller.actor }, { app, type: 'process.scale', data });
        });
        sayToApp(
          controller,
          { guid: process.app_guid, name: process.app_name },
          { text: `Scaling process: "${process.type}"` },
        );
        const now = await getProcess(controller.db, process.guid);
        return { status: 202, body: presentProcess(now, baseUrl, HIDDEN_IN_LISTS) };
      },
    }),
    route({
      method: 'DELETE',
      path: `${path}/instances/:index`,
      summary: 'Stop one instance; the health manager starts another',
      permission: operate,
      handler: async (request) => {
        const { controller, caller, params } = request;
        const process = await find(request);
        const index = Number(params.index);
        if (!/^\d+$/.test(params.index ?? '') || process.app_state !== 'STARTED' || index >= process.instances) {
          throw new PlatformError('ResourceNotFound', 'Instance not found');
        }
        const app = await getApp(controller.db, process.app_guid);
        await controller.db.transaction().execute((tx) =>
          recordAppEvent(
            tx,
            { controller, actor: caller.actor },
            {
              app,
              type: 'process.terminate_instance',
              data: { process_type: process.type, process_index: index },
            },
          ),
        );
        const running = services.instances.at(process.guid, index).map(({ instance }) => instance);
        if (running.length > 0) services.changes.stopInstances(process.guid, running);
        await services.changes.startIndices(process.app_guid, process.guid, [index]);
        sayToApp(controller, app, { text: `Terminating process: "${process.type}", index: "${index}"` });
        return noContent();
      },
    }),
    route({
      method: 'GET',
      path: `${path}/process_instances`,
      summary: 'Get the state of each instance',
      permission: read,
      handler: async (request) => {
        const process = await find(request);
        const self = `${request.baseUrl}/v3/processes/${process.guid}`;
        return ok({
          resources: instancesOf(services, process),
          links: { self: { href: `${self}/process_instances` }, process: { href: self } },
        });
      },
    }),
  ];
}

function instancesOf({ instances }: AppServices, process: StatedProcess) {
  if (process.app_state !== 'STARTED') return [];
  return instances
    .view(process.guid, process.version, process.instances)
    .map(({ index, state, sinceS }) => ({ index, state, since: sinceS }));
}

/** The start command of a process, for those who may see secrets. */
async function visibleCommand(
  request: Pick<ApiRequest, 'controller' | 'caller'>,
  process: StatedProcess,
): Promise<string | null> {
  const { controller, caller } = request;
  try {
    await authorize(controller, caller, { of: 'app', guid: process.app_guid, may: 'space.read-secrets' });
  } catch (error) {
    if (error instanceof PlatformError) return '[PRIVATE DATA HIDDEN]';
    throw error;
  }
  if (process.command !== null) return process.command;
  const { droplet_guid } = await getApp(controller.db, process.app_guid);
  const droplet = droplet_guid === null ? undefined : await findDroplet(controller.db, droplet_guid);
  return droplet?.process_types[process.type] ?? null;
}
