import { ClientError } from '../client-error.ts';
import type { Named } from '../config-store.ts';
import { type ApiClient, filterValue, query } from './api-client.ts';
import { Domain, Organization, Space } from './resources.ts';

const named = ({ guid, name }: Named): Named => ({ guid, name });

export async function listOrganizations(api: ApiClient): Promise<Named[]> {
  return (await api.list(Organization, '/v3/organizations?order_by=name')).map(named);
}

export async function listSpaces(api: ApiClient, organizationGuid: string): Promise<Named[]> {
  const path = `/v3/spaces${query({ organization_guids: organizationGuid, order_by: 'name' })}`;
  return (await api.list(Space, path)).map(named);
}

export async function findOrganization(api: ApiClient, name: string): Promise<Named> {
  const [found] = await api.list(Organization, `/v3/organizations${query({ names: filterValue(name) })}`);
  if (found) return named(found);
  throw new ClientError(`There is no organization '${name}', or you are not in it`, { next: 'stackato orgs' });
}

export async function findSpace(api: ApiClient, organization: Named, name: string): Promise<Named> {
  const path = `/v3/spaces${query({ names: filterValue(name), organization_guids: organization.guid })}`;
  const [found] = await api.list(Space, path);
  if (found) return named(found);
  throw new ClientError(`There is no space '${name}' in organization ${organization.name}, or you are not in it`, {
    next: 'stackato spaces',
  });
}

export async function createOrganization(api: ApiClient, name: string): Promise<Named> {
  return named(await api.post(Organization, '/v3/organizations', { name }));
}

export async function createSpace(api: ApiClient, organization: Named, name: string): Promise<Named> {
  const relationships = { organization: { data: { guid: organization.guid } } };
  return named(await api.post(Space, '/v3/spaces', { name, relationships }));
}

export async function listDomains(api: ApiClient, organization: Named): Promise<(Named & { internal: boolean })[]> {
  return api.list(Domain, `/v3/organizations/${organization.guid}/domains`);
}

/** The name that apps get when nothing else is said; undefined when the organization has no domain. */
export async function defaultDomain(api: ApiClient, organization: Named): Promise<string | undefined> {
  return (await listDomains(api, organization)).find(({ internal }) => !internal)?.name;
}
