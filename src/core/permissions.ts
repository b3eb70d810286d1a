/** Roles a user can have in an organization or a space. */
export const organizationRoles = [
  'organization_user',
  'organization_auditor',
  'organization_manager',
  'organization_billing_manager',
] as const;
export const spaceRoles = ['space_auditor', 'space_developer', 'space_manager', 'space_supporter'] as const;
export type RoleType = (typeof organizationRoles)[number] | (typeof spaceRoles)[number];

/** Powers that come from a token's scopes and hold everywhere. */
export type GlobalPower = 'admin' | 'admin_read_only' | 'global_auditor';

type Rule = {
  /** Roles that may do it, besides admins. */
  readonly roles: readonly RoleType[];
  /** Which read-only global powers may do it. */
  readonly powers?: readonly GlobalPower[];
  /** What one must be allowed to read for the thing to exist at all. */
  readonly seenBy: 'space.read' | 'route.read' | 'domain.read' | 'organization.read';
  /** Refused in a suspended organization, except to admins. */
  readonly isWrite?: boolean;
};

const READERS = ['admin_read_only', 'global_auditor'] as const;
const VIEW_SPACE = [
  'organization_manager',
  'space_auditor',
  'space_developer',
  'space_manager',
  'space_supporter',
] as const;
const DOMAIN_READERS = [...VIEW_SPACE, 'organization_auditor', 'organization_billing_manager'] as const;
const MANAGERS = ['organization_manager', 'space_manager'] as const;
const OPERATORS = ['space_developer', 'space_supporter'] as const;

const rules = {
  'organization.read': { roles: [...organizationRoles, ...spaceRoles], powers: READERS, seenBy: 'organization.read' },
  'domain.read': { roles: DOMAIN_READERS, powers: READERS, seenBy: 'domain.read' },
  'event.read': {
    roles: ['organization_manager', 'organization_auditor'],
    powers: READERS,
    seenBy: 'organization.read',
  },
  'organization.manage': { roles: ['organization_manager'], seenBy: 'organization.read', isWrite: true },
  'organization.administer': { roles: [], seenBy: 'organization.read', isWrite: true },
  'space.read': { roles: VIEW_SPACE, powers: READERS, seenBy: 'space.read' },
  'route.read': { roles: [...VIEW_SPACE, 'organization_auditor'], powers: READERS, seenBy: 'route.read' },
  'route.operate': { roles: OPERATORS, seenBy: 'route.read', isWrite: true },
  'route.develop': { roles: ['space_developer'], seenBy: 'route.read', isWrite: true },
  'space.read-secrets': { roles: ['space_developer'], powers: ['admin_read_only'], seenBy: 'space.read' },
  'space.read-environment': { roles: OPERATORS, powers: ['admin_read_only'], seenBy: 'space.read' },
  'space.read-droplet': {
    roles: ['organization_manager', 'space_auditor', 'space_developer', 'space_manager'],
    powers: READERS,
    seenBy: 'space.read',
  },
  'space.develop': { roles: ['space_developer'], seenBy: 'space.read', isWrite: true },
  'space.operate': { roles: OPERATORS, seenBy: 'space.read', isWrite: true },
  'space.manage': { roles: MANAGERS, seenBy: 'space.read', isWrite: true },
  'space.administer': { roles: ['organization_manager'], seenBy: 'space.read', isWrite: true },
} as const satisfies Record<string, Rule>;

/** Everything that a role can allow. */
export type Action = keyof typeof rules;

/** What is known of a caller at one organization or space. */
export type Standing = {
  readonly powers: readonly GlobalPower[];
  /** The caller's roles in the organization and, when asked about a space, in that space. */
  readonly roles: readonly RoleType[];
  readonly isSuspended: boolean;
};

/** `invisible`: the thing does not exist for the caller. */
export type Verdict = 'allowed' | 'forbidden' | 'suspended' | 'invisible';

/** May the caller do this? Admins may do everything; what one may not see is invisible rather than forbidden. */
export function decidePermission(action: Action, standing: Standing): Verdict {
  if (standing.powers.includes('admin')) return 'allowed';
  const rule: Rule = rules[action];
  if (!holds(rule, standing)) return holds(rules[rule.seenBy], standing) ? 'forbidden' : 'invisible';
  return rule.isWrite && standing.isSuspended ? 'suspended' : 'allowed';
}

/** May the caller do this everywhere, whatever their roles? Lists are then not filtered. */
export function isAllowedEverywhere(action: Action, powers: readonly GlobalPower[]): boolean {
  return decidePermission(action, { powers, roles: [], isSuspended: false }) === 'allowed';
}

/** The organization and space roles that allow an action: what lists filter by. */
export function rolesAllowing(action: Action): readonly RoleType[] {
  return rules[action].roles;
}

function holds(rule: Rule, standing: Standing): boolean {
  return (
    standing.roles.some((role) => rule.roles.includes(role)) ||
    standing.powers.some((power) => rule.powers?.includes(power))
  );
}
