/** Groups every user is in without being told so. */
export const userGroups: readonly string[] = [
  'cloud_controller.read',
  'cloud_controller.write',
  'openid',
  'password.write',
  'uaa.user',
];

/** The group that makes an administrator. */
export const adminGroup = 'cloud_controller.admin';

/** Groups of an administrator, besides those of every user. */
export const adminGroups: readonly string[] = [
  adminGroup,
  'clients.admin',
  'clients.read',
  'clients.secret',
  'clients.write',
  'doppler.firehose',
  'network.admin',
  'network.write',
  'routing.router_groups.read',
  'routing.router_groups.write',
  'scim.read',
  'scim.write',
  'uaa.admin',
];

/**
 * What a token may say: the user's groups that the client may carry, narrowed to what was asked for.
 *
 * @returns undefined when something was asked for that may not be given
 */
export function grantedScopes(
  user: { readonly groups: readonly string[] },
  client: { readonly scopes: readonly string[] },
  requested: readonly string[],
): readonly string[] | undefined {
  const groups = new Set([...userGroups, ...user.groups]);
  const allowed = client.scopes.filter((scope) => groups.has(scope)).sort();
  if (requested.length === 0) return allowed;
  return requested.every((scope) => allowed.includes(scope)) ? [...new Set(requested)].sort() : undefined;
}

/** The resource servers a token with these scopes is for: the part of a scope before its last dot. */
export function audienceOf(clientId: string, scopes: readonly string[]): readonly string[] {
  const resources = scopes.map((scope) => (scope.includes('.') ? scope.slice(0, scope.lastIndexOf('.')) : scope));
  return [...new Set([clientId, ...resources])];
}

/** Splits the `scope` field of a request. */
export function parseScopes(text: string | undefined): readonly string[] {
  return (text ?? '').split(/[\s,]+/).filter((scope) => scope !== '');
}
