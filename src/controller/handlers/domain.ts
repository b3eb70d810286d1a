import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { decidePermission } from '../../core/permissions.ts';
import { domainNameFault } from '../../core/route-name.ts';
import { authorize } from '../api/authorization.ts';
import { listed } from '../api/list.ts';
import { MetadataPatch, metadataColumns } from '../api/metadata.ts';
import { ToMany, ToOneOrNone } from '../api/relationship.ts';
import { accepted, created, ok } from '../api/reply.ts';
import { type ApiRequest, type Route, route } from '../api/route.ts';
import { presentDomain } from '../present/domain.ts';
import {
  countDomainsOf,
  type DomainRow,
  deleteDomain,
  findDefaultDomain,
  findDomain,
  findDomainByName,
  insertDomain,
  listDomains,
  shareDomain,
  updateDomain,
} from '../store/domain.ts';
import { isFeatureEnabled } from '../store/feature-flag.ts';
import { startJob } from '../store/job.ts';
import { findQuotaOf } from '../store/quota.ts';
import { findStanding } from '../store/role-standing.ts';

const LIST = {
  params: ['names', 'organization_guids'],
  list: { order: ['created_at', 'updated_at', 'name'], isLabelled: true },
} as const;

/** CRUD of domains. One without an organization is shared by all. */
export const domainRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/domains',
    summary: 'List domains',
    permission: { kind: 'authenticated' },
    query: LIST,
    handler: async (request) => {
      const page = await listDomains(request.controller.db, request.caller, { query: request.query });
      return listed(request, page, { present: (row) => presentDomain(row, request.baseUrl) });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/organizations/:guid/domains',
    summary: 'List the domains an organization may use',
    permission: { kind: 'resource', of: 'organization', may: 'organization.read' },
    query: LIST,
    handler: async (request) => {
      const { controller, caller, query, params } = request;
      const page = await listDomains(controller.db, caller, { query, organizationGuid: params.guid });
      return listed(request, page, { present: (row) => presentDomain(row, request.baseUrl) });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/organizations/:guid/domains/default',
    summary: "Get an organization's default domain",
    permission: { kind: 'resource', of: 'organization', may: 'organization.read' },
    handler: async ({ controller, params, baseUrl }) => {
      const domain = await findDefaultDomain(controller.db, params.guid);
      if (!domain) throw new PlatformError('ResourceNotFound', 'Default domain not found');
      return ok(presentDomain(domain, baseUrl));
    },
  }),
  route({
    method: 'GET',
    path: '/v3/domains/:guid',
    summary: 'Get a domain',
    permission: { kind: 'authenticated' },
    handler: async (request) => ok(presentDomain(await visibleDomain(request, request.params.guid), request.baseUrl)),
  }),
  route({
    method: 'POST',
    path: '/v3/domains',
    summary: 'Create a domain',
    permission: { kind: 'authenticated' },
    body: Type.Object(
      {
        name: Type.String(),
        internal: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
        router_group: Type.Optional(Type.Union([Type.Object({ guid: Type.String() }), Type.Null()])),
        relationships: Type.Optional(
          Type.Object(
            { organization: Type.Optional(ToOneOrNone), shared_organizations: Type.Optional(ToMany) },
            { additionalProperties: false },
          ),
        ),
        metadata: Type.Optional(MetadataPatch),
      },
      { additionalProperties: false },
    ),
    handler: async (request) => {
      const { controller, caller, body, baseUrl } = request;
      const name = body.name.toLowerCase();
      const organization = body.relationships?.organization?.data?.guid ?? null;
      const shared = body.relationships?.shared_organizations?.data.map((one) => one.guid) ?? [];
      const internal = body.internal ?? false;
      if (organization === null && !caller.isAdmin) throw new PlatformError('NotAuthorized');
      const owners = [...(organization === null ? [] : [organization]), ...shared];
      for (const guid of owners) await mayUseOrganization(request, guid);
      if (organization === null && shared.length > 0) {
        throw unprocessable(
          'Domains can not be shared with other organizations unless they are scoped to an organization.',
        );
      }
      if (internal && organization !== null)
        throw unprocessable('Internal domains cannot be associated to an organization.');
      if (body.router_group) throw unprocessable('This platform has no TCP router groups.');
      const fault = domainNameFault(name);
      if (fault) throw unprocessable(fault);
      const guid = controller.random.guid();
      await controller.db.transaction().execute(async (tx) => {
        await checkName(tx, name, organization);
        if (organization !== null) await checkQuota(tx, organization);
        await insertDomain(tx, {
          guid,
          name,
          internal,
          organization_guid: organization,
          ...metadataColumns(body.metadata),
        });
        await shareDomain(tx, guid, shared);
      });
      return created(presentDomain(await visibleDomain(request, guid), baseUrl));
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/domains/:guid',
    summary: 'Label a domain',
    permission: { kind: 'authenticated' },
    body: Type.Object({ metadata: Type.Optional(MetadataPatch) }, { additionalProperties: false }),
    handler: async (request) => {
      const domain = await managedDomain(request, request.params.guid);
      await updateDomain(request.controller.db, domain.guid, metadataColumns(request.body.metadata, domain));
      return ok(presentDomain(await visibleDomain(request, domain.guid), request.baseUrl));
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/domains/:guid',
    summary: 'Delete a domain and its routes',
    permission: { kind: 'authenticated' },
    handler: async (request) => {
      const { controller, caller } = request;
      const domain = await managedDomain(request, request.params.guid);
      if (!caller.isAdmin && domain.shared_with.length > 0) {
        throw unprocessable('This domain is shared with other organizations. Unshare before deleting.');
      }
      if (domain.name === controller.config.cluster.domain) {
        throw unprocessable("This is the platform's own domain; it cannot be deleted.");
      }
      const { job, apps } = await controller.db.transaction().execute(async (tx) => {
        const lost = await deleteDomain(tx, domain.guid);
        const guid = controller.random.guid();
        return { job: await startJob(tx, { guid, operation: 'domain.delete', isDone: true }), apps: lost };
      });
      await controller.events.onRoutesChanged(apps);
      return accepted(request, job);
    },
  }),
];

type Request = Pick<ApiRequest, 'controller' | 'caller'>;

/** @throws PlatformError 404 when it does not exist or belongs to organizations the caller has nothing to do with */
export async function visibleDomain({ controller, caller }: Request, guid: string): Promise<DomainRow> {
  const domain = await findDomain(controller.db, guid);
  const unseen = new PlatformError('ResourceNotFound', 'Domain not found');
  if (!domain) throw unseen;
  if (domain.organization_guid === null || caller.powers.length > 0) return domain;
  for (const organizationGuid of [domain.organization_guid, ...domain.shared_with]) {
    const standing = await findStanding(controller.db, caller, { organizationGuid });
    if (decidePermission('domain.read', standing) === 'allowed') return domain;
  }
  throw unseen;
}

/** @throws PlatformError also 403 when the caller does not manage the organization that owns it */
export async function managedDomain(request: Request, guid: string): Promise<DomainRow> {
  const domain = await visibleDomain(request, guid);
  if (request.caller.isAdmin) return domain;
  if (domain.organization_guid === null) throw new PlatformError('NotAuthorized');
  const standing = await findStanding(request.controller.db, request.caller, {
    organizationGuid: domain.organization_guid,
  });
  const verdict = decidePermission('organization.manage', standing);
  if (verdict === 'suspended') throw new PlatformError('OrgSuspended');
  if (verdict !== 'allowed') throw new PlatformError('NotAuthorized');
  return domain;
}

async function mayUseOrganization({ controller, caller }: Request, guid: string): Promise<void> {
  const invalid = `Organization with guid '${guid}' does not exist or you do not have access to it.`;
  await authorize(controller, caller, { of: 'organization', guid, may: 'organization.manage', invalid });
  if (!caller.isAdmin && !(await isFeatureEnabled(controller.db, 'private_domain_creation'))) {
    throw new PlatformError('FeatureDisabled', 'private_domain_creation');
  }
}

/** A name below or above another organization's private domain would take its traffic. */
async function checkName(
  tx: Parameters<typeof findDomainByName>[0],
  name: string,
  owner: string | null,
): Promise<void> {
  const labels = name.split('.');
  const parents = labels.slice(1).map((_, i) => labels.slice(i + 1).join('.'));
  for (const parent of parents) {
    const domain = await findDomainByName(tx, parent);
    if (domain && domain.organization_guid !== null && domain.organization_guid !== owner) {
      throw unprocessable(
        `The domain name "${name}" cannot be created because "${parent}" is already reserved by another domain`,
      );
    }
  }
}

async function checkQuota(tx: Parameters<typeof findDomainByName>[0], organizationGuid: string): Promise<void> {
  const quota = await findQuotaOf(tx, organizationGuid);
  if (quota.total_domains !== null && (await countDomainsOf(tx, organizationGuid)) >= quota.total_domains) {
    throw unprocessable('The number of private domains exceeds the quota for the organization.');
  }
}

function unprocessable(detail: string): PlatformError {
  return new PlatformError('UnprocessableEntity', detail);
}
