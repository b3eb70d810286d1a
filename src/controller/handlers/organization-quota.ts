import type { Static } from 'typebox';
import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import type { Caller } from '../api/caller.ts';
import type { Controller } from '../api/controller.ts';
import { listed } from '../api/list.ts';
import { ToMany, toMany } from '../api/relationship.ts';
import { accepted, created, ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { presentQuota } from '../present/organization-quota.ts';
import { startJob } from '../store/job.ts';
import { findOrganizations } from '../store/organization.ts';
import {
  applyQuota,
  deleteQuota,
  findQuota,
  insertQuota,
  listQuotas,
  type QuotaLimitColumns,
  type QuotaRow,
  updateQuota,
} from '../store/quota.ts';

const Limit = Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 2_147_483_647 }), Type.Null()]));
const LogLimit = Type.Optional(Type.Union([Type.Integer({ minimum: -1 }), Type.Null()]));
const strict = { additionalProperties: false };
const Limits = {
  apps: Type.Optional(
    Type.Object(
      {
        total_memory_in_mb: Limit,
        per_process_memory_in_mb: Limit,
        total_instances: Limit,
        per_app_tasks: Limit,
        log_rate_limit_in_bytes_per_second: LogLimit,
      },
      strict,
    ),
  ),
  services: Type.Optional(
    Type.Object(
      {
        paid_services_allowed: Type.Optional(Type.Boolean()),
        total_service_instances: Limit,
        total_service_keys: Limit,
      },
      strict,
    ),
  ),
  routes: Type.Optional(Type.Object({ total_routes: Limit, total_reserved_ports: Limit }, strict)),
  domains: Type.Optional(Type.Object({ total_domains: Limit }, strict)),
};
const Name = Type.String({ minLength: 1, maxLength: 250 });
const LimitsBody = Type.Object(Limits);

/** What organizations may use. */
export const organizationQuotaRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/organization_quotas',
    summary: 'List organization quotas',
    permission: { kind: 'authenticated' },
    query: { params: ['names', 'organization_guids'], list: { order: ['created_at', 'updated_at', 'name'] } },
    handler: async (request) => {
      const page = await listQuotas(request.controller.db, request.caller, request.query);
      return listed(request, page, { present: (row) => presentQuota(row, request.baseUrl) });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/organization_quotas/:guid',
    summary: 'Get an organization quota',
    permission: { kind: 'authenticated' },
    handler: async ({ controller, caller, params, baseUrl }) => {
      const quota = await getQuota(controller, caller, params.guid);
      if (caller.powers.length === 0 && quota.organizations.length === 0) throw notFound();
      return ok(presentQuota(quota, baseUrl));
    },
  }),
  route({
    method: 'POST',
    path: '/v3/organization_quotas',
    summary: 'Create an organization quota',
    permission: { kind: 'admin' },
    body: Type.Object(
      {
        name: Name,
        ...Limits,
        relationships: Type.Optional(Type.Object({ organizations: Type.Optional(ToMany) }, strict)),
      },
      strict,
    ),
    handler: async ({ controller, caller, body, baseUrl }) => {
      const guid = controller.random.guid();
      const organizations = body.relationships?.organizations?.data.map((one) => one.guid) ?? [];
      await checkOrganizations(controller, organizations);
      await controller.db.transaction().execute(async (tx) => {
        await insertQuota(tx, { ...columnsOf(body), guid, name: body.name });
        await applyQuota(tx, guid, organizations);
      });
      return created(presentQuota(await getQuota(controller, caller, guid), baseUrl));
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/organization_quotas/:guid',
    summary: 'Change an organization quota',
    permission: { kind: 'admin' },
    body: Type.Object({ name: Type.Optional(Name), ...Limits }, strict),
    handler: async ({ controller, caller, params, body, baseUrl }) => {
      await getQuota(controller, caller, params.guid);
      const name = body.name === undefined ? {} : { name: body.name };
      await updateQuota(controller.db, params.guid, { ...columnsOf(body), ...name });
      return ok(presentQuota(await getQuota(controller, caller, params.guid), baseUrl));
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/organization_quotas/:guid',
    summary: 'Delete an organization quota',
    permission: { kind: 'admin' },
    handler: async (request) => {
      const { controller, caller, params } = request;
      await getQuota(controller, caller, params.guid);
      const job = await controller.db.transaction().execute(async (tx) => {
        await deleteQuota(tx, params.guid);
        return startJob(tx, { guid: controller.random.guid(), operation: 'organization_quota.delete', isDone: true });
      });
      return accepted(request, job);
    },
  }),
  route({
    method: 'POST',
    path: '/v3/organization_quotas/:guid/relationships/organizations',
    summary: 'Apply a quota to organizations',
    permission: { kind: 'admin' },
    body: ToMany,
    handler: async ({ controller, caller, params, body, baseUrl }) => {
      await getQuota(controller, caller, params.guid);
      const organizations = body.data.map((one) => one.guid);
      await checkOrganizations(controller, organizations);
      await applyQuota(controller.db, params.guid, organizations);
      const self = `${baseUrl}/v3/organization_quotas/${params.guid}/relationships/organizations`;
      const quota = await getQuota(controller, caller, params.guid);
      return ok({ ...toMany(quota.organizations), links: { self: { href: self } } });
    },
  }),
];

async function getQuota(controller: Controller, caller: Caller, guid: string): Promise<QuotaRow> {
  const quota = await findQuota(controller.db, caller, guid);
  if (!quota) throw notFound();
  return quota;
}

function notFound(): PlatformError {
  return new PlatformError('ResourceNotFound', 'Organization quota not found');
}

async function checkOrganizations(controller: Controller, guids: readonly string[]): Promise<void> {
  const known = await findOrganizations(controller.db, guids);
  const missing = guids.filter((guid) => !known.some((one) => one.guid === guid));
  if (missing.length > 0) {
    const list = missing.map((guid) => `'${guid}'`).join(', ');
    throw new PlatformError(
      'UnprocessableEntity',
      `Organizations with guids [${list}] do not exist, or you do not have access to them.`,
    );
  }
}

function columnsOf(limits: Static<typeof LimitsBody>): QuotaLimitColumns {
  const { log_rate_limit_in_bytes_per_second: logRate, ...apps } = limits.apps ?? {};
  const unlimited = logRate === -1 ? null : logRate;
  const log = logRate === undefined ? {} : { log_rate_limit_in_bytes_per_second: unlimited };
  const all = { ...apps, ...log, ...limits.services, ...limits.routes, ...limits.domains };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)) as QuotaLimitColumns;
}
