import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type RoleName, roleNames } from '../contract/node.ts';
import {
  builtRoles,
  groupByPhase,
  listProcesses,
  listPrograms,
  microRoles,
  planRoleChange,
  resolveRoles,
  rolesToTake,
  sociableRoles,
} from './role-plan.ts';

const micro = { roles: microRoles, isCore: true, isMicro: true };
const change = (add: RoleName[], remove: RoleName[] = [], node = micro) => planRoleChange(node, { add, remove });

const takes: readonly [string, RoleName[], { isCore: boolean; isMicro: boolean }, RoleName[]][] = [
  ['a micro cloud', [...microRoles], { isCore: true, isMicro: true }, ['mdns']],
  ['a Core node', ['base', 'primary', 'controller', 'router'], { isCore: true, isMicro: false }, ['dea', 'stager']],
  ['a DEA', ['base', 'dea'], { isCore: false, isMicro: false }, ['controller', 'router', 'stager', 'load_balancer']],
  ['a load balancer', ['base', 'load_balancer'], { isCore: false, isMicro: false }, []],
];
for (const [name, roles, kind, expected] of takes) {
  test(`${name} could be given: ${expected.join(', ') || 'nothing'}`, () => {
    assert.deepEqual(rolesToTake({ roles, ...kind }), expected);
  });
}

test('a micro cloud runs every process, database and bus first', () => {
  assert.deepEqual(
    listProcesses({ roles: microRoles, isMicro: true }).map(({ name }) => name),
    [
      'nats',
      'postgresql',
      'primary',
      'controller',
      'aok',
      'logyard',
      'router',
      'dea',
      'stager',
      'health_manager',
      'base',
    ],
  );
  assert.deepEqual(
    groupByPhase(listProcesses({ roles: microRoles, isMicro: true }), 'stopPhase').map((group) =>
      group.map(({ name }) => name),
    ),
    [
      ['health_manager'],
      ['router', 'dea', 'stager'],
      ['primary', 'controller', 'aok', 'logyard', 'base'],
      ['nats', 'postgresql'],
    ],
  );
});

test('what is not on the way of requests shares programs; what serves apps is alone, and no program mixes accounts', () => {
  const programs = listPrograms(listProcesses({ roles: microRoles, isMicro: true }));
  const named = Object.fromEntries(programs.map(({ name, processes }) => [name, processes.map((plan) => plan.name)]));
  assert.deepEqual(named, {
    nats: ['nats'],
    postgresql: ['postgresql'],
    primary: ['primary', 'health_manager'],
    controller: ['controller', 'aok', 'logyard'],
    router: ['router'],
    dea: ['dea'],
    base: ['stager', 'base'],
  });
  for (const { account, processes } of programs) assert.ok(processes.every((plan) => plan.account === account));
  const stops = groupByPhase(programs, 'stopPhase').map((group) => group.map(({ name }) => name));
  assert.deepEqual(stops, [['primary'], ['router', 'dea', 'base'], ['controller'], ['nats', 'postgresql']]);
});

test('a group stands for its roles', () => {
  assert.deepEqual(resolveRoles(['data-services', 'redis']), [
    'postgresql',
    'mysql',
    'redis',
    'mongodb',
    'rabbit',
    'filesystem',
  ]);
  assert.match((resolveRoles(['dae']) as { refused: string }).refused, /no role 'dae'; did you mean dea\?/);
  assert.match((resolveRoles(['aok']) as { refused: string }).refused, /process of the role controller/);
});

test('a removed role stops its processes, an added one starts them', () => {
  assert.deepEqual(change([], ['stager']), {
    roles: ['base', 'primary', 'controller', 'router', 'dea'],
    started: [],
    stopped: ['stager'],
  });
  assert.deepEqual(change(['dea'], [], { ...micro, roles: ['base', 'primary'] }), {
    roles: ['base', 'primary', 'dea'],
    started: ['dea'],
    stopped: [],
  });
});

test('a load balancer runs alone with base, and every other role may be had at once', () => {
  const attached = { roles: ['base'], isCore: false, isMicro: false };
  const changed = planRoleChange(attached, { add: ['load_balancer'], remove: [] });
  assert.deepEqual(changed, { roles: ['base', 'load_balancer'], started: ['load_balancer'], stopped: [] });
  const balancer = { ...attached, roles: ['base', 'load_balancer'] };
  assert.match(JSON.stringify(planRoleChange(balancer, { add: ['dea'], remove: [] })), /excludes every other role/);
  assert.ok('roles' in change([...sociableRoles]));
});

test('mdns is for micro clouds, and only when asked for', () => {
  const added = change(['mdns']);
  assert.deepEqual('started' in added ? added.started : added, ['mdns']);
  assert.ok(!microRoles.includes('mdns') && !sociableRoles.includes('mdns'));
});

test('what may not be is refused with the reason', () => {
  const why = (result: ReturnType<typeof change>) => ('refused' in result ? result.refused : 'allowed');
  assert.match(why(change([], ['base'])), /every node/);
  assert.match(why(change([], ['primary'])), /exactly one primary/);
  assert.match(why(change(['primary'], [], { roles: ['base'], isCore: false, isMicro: false })), /exactly one/);
  assert.match(why(change(['mdns'], [], { roles: ['base'], isCore: false, isMicro: false })), /micro clouds only/);
  assert.match(why(change(['load_balancer'])), /excludes every other role/);
  assert.match(why(change(['mysql'])), /mysql: not available in this version/);
});

test('no change of roles ever loses base, nor the primary of the Core node', () => {
  const some = fc.subarray([...roleNames]);
  fc.assert(
    fc.property(some, some, (add, remove) => {
      const result = change(add, remove);
      if ('refused' in result) return;
      assert.ok(result.roles.includes('base') && result.roles.includes('primary'));
      assert.ok(result.roles.every((role) => builtRoles.includes(role as RoleName)));
    }),
  );
});
