import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type Action,
  decidePermission,
  type GlobalPower,
  isAllowedEverywhere,
  organizationRoles,
  type RoleType,
  rolesAllowing,
  spaceRoles,
  type Verdict,
} from './permissions.ts';

const who: Readonly<Record<string, { powers?: GlobalPower[]; roles?: RoleType[] }>> = {
  A: { powers: ['admin'] },
  AR: { powers: ['admin_read_only'] },
  GA: { powers: ['global_auditor'] },
  OM: { roles: ['organization_manager'] },
  OA: { roles: ['organization_auditor'] },
  OB: { roles: ['organization_billing_manager'] },
  OU: { roles: ['organization_user'] },
  SM: { roles: ['space_manager'] },
  SD: { roles: ['space_developer'] },
  SS: { roles: ['space_supporter'] },
  SA: { roles: ['space_auditor'] },
  none: {},
};
const sign: Readonly<Record<Verdict, string>> = { allowed: '+', forbidden: '-', invisible: '.', suspended: 's' };

// + allowed, - seen but forbidden (403), . does not exist for them (404). The columns are those of `who`.
const table: Readonly<Record<Action, string>> = {
  'organization.read': '+ + + + + + + + + + + .',
  'organization.manage': '+ - - + - - - - - - - .',
  'organization.administer': '+ - - - - - - - - - - .',
  'domain.read': '+ + + + + + . + + + + .',
  'event.read': '+ + + + + - - - - - - .',
  'space.read': '+ + + + . . . + + + + .',
  'route.read': '+ + + + + . . + + + + .',
  'route.operate': '+ - - - - . . - + + - .',
  'route.develop': '+ - - - - . . - + - - .',
  'space.read-secrets': '+ + - - . . . - + - - .',
  'space.read-environment': '+ + - - . . . - + + - .',
  'space.read-droplet': '+ + + + . . . + + - + .',
  'space.develop': '+ - - - . . . - + - - .',
  'space.operate': '+ - - - . . . - + + - .',
  'space.manage': '+ - - + . . . + - - - .',
  'space.administer': '+ - - + . . . - - - - .',
};
const reads = Object.keys(table).filter((action) => action.includes('.read'));

function verdict(action: Action, name: string, isSuspended = false): Verdict {
  const { powers = [], roles = [] } = who[name] ?? {};
  return decidePermission(action, { powers, roles, isSuspended });
}

for (const [action, row] of Object.entries(table) as [Action, string][]) {
  test(`${action} is allowed to, forbidden to and hidden from whom the table says`, () => {
    const actual = Object.keys(who).map((name) => sign[verdict(action, name)]);
    assert.equal(actual.join(' '), row);
  });
}

test('in a suspended organization everyone but admins may only read', () => {
  for (const action of Object.keys(table) as Action[]) {
    for (const name of Object.keys(who)) {
      const usual = verdict(action, name);
      const isHit = usual === 'allowed' && name !== 'A' && !reads.includes(action);
      assert.equal(verdict(action, name, true), isHit ? 'suspended' : usual, `${action} ${name}`);
    }
  }
});

test('lists are filtered by the same roles that decide about one thing', () => {
  for (const action of Object.keys(table) as Action[]) {
    for (const role of [...organizationRoles, ...spaceRoles]) {
      const isAllowed = decidePermission(action, { powers: [], roles: [role], isSuspended: false }) === 'allowed';
      assert.equal(rolesAllowing(action).includes(role), isAllowed, `${action} ${role}`);
    }
  }
  assert.equal(isAllowedEverywhere('space.read', ['global_auditor']), true);
  assert.equal(isAllowedEverywhere('space.read', []), false);
});
