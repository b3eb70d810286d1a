import type { Static } from 'typebox';
import Type from 'typebox';
import { PlatformError } from '../../contract/errors.ts';
import { ruleFaults } from '../../core/security-group-rule.ts';
import { listed } from '../api/list.ts';
import { ToMany } from '../api/relationship.ts';
import { accepted, created, ok } from '../api/reply.ts';
import { type ApiRequest, type Route, route } from '../api/route.ts';
import { presentSecurityGroup } from '../present/security-group.ts';
import { startJob } from '../store/job.ts';
import {
  bindSecurityGroup,
  deleteSecurityGroup,
  findSecurityGroup,
  insertSecurityGroup,
  listGroupsOfSpace,
  listSecurityGroups,
  type SecurityGroupRow,
  updateSecurityGroup,
} from '../store/security-group.ts';
import { findSpaces } from '../store/space.ts';

const strict = { additionalProperties: false };
const Rule = Type.Object(
  {
    protocol: Type.Enum(['tcp', 'udp', 'icmp', 'icmpv6', 'all']),
    destination: Type.String({ minLength: 1, maxLength: 5000 }),
    ports: Type.Optional(Type.String()),
    type: Type.Optional(Type.Integer({ minimum: -1, maximum: 255 })),
    code: Type.Optional(Type.Integer({ minimum: -1, maximum: 255 })),
    description: Type.Optional(Type.String({ maxLength: 500 })),
    log: Type.Optional(Type.Boolean()),
  },
  strict,
);
const Rules = Type.Array(Rule, { maxItems: 1000 });
const Enabled = Type.Object({ running: Type.Optional(Type.Boolean()), staging: Type.Optional(Type.Boolean()) }, strict);
const Name = Type.String({ minLength: 1, maxLength: 250 });

/** What apps and stagings may reach. */
export const securityGroupRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/security_groups',
    summary: 'List security groups',
    permission: { kind: 'authenticated' },
    query: {
      params: [
        'names',
        'globally_enabled_running',
        'globally_enabled_staging',
        'running_space_guids',
        'staging_space_guids',
      ],
      list: { order: ['created_at', 'updated_at', 'name'] },
    },
    handler: async (request) => {
      const page = await listSecurityGroups(request.controller.db, request.caller, request.query);
      return listed(request, page, { present: (row) => presentSecurityGroup(row, request.baseUrl) });
    },
  }),
  ...(['running', 'staging'] as const).map((lifecycle) =>
    route({
      method: 'GET',
      path: `/v3/spaces/:guid/${lifecycle}_security_groups`,
      summary: `List the security groups of ${lifecycle} apps in a space`,
      permission: { kind: 'resource', of: 'space', may: 'space.read' },
      query: { params: ['names'], list: { order: ['created_at', 'updated_at', 'name'] } },
      handler: async (request) => {
        const { controller, caller, query, params, baseUrl } = request;
        const page = await listGroupsOfSpace(controller.db, caller, { query, spaceGuid: params.guid, lifecycle });
        return listed(request, page, { present: (row) => presentSecurityGroup(row, baseUrl) });
      },
    }),
  ),
  route({
    method: 'GET',
    path: '/v3/security_groups/:guid',
    summary: 'Get a security group',
    permission: { kind: 'authenticated' },
    handler: async (request) =>
      ok(presentSecurityGroup(await visibleGroup(request, request.params.guid), request.baseUrl)),
  }),
  route({
    method: 'POST',
    path: '/v3/security_groups',
    summary: 'Create a security group',
    permission: { kind: 'admin' },
    body: Type.Object(
      {
        name: Name,
        globally_enabled: Type.Optional(Enabled),
        rules: Type.Optional(Rules),
        relationships: Type.Optional(
          Type.Object({ running_spaces: Type.Optional(ToMany), staging_spaces: Type.Optional(ToMany) }, strict),
        ),
      },
      strict,
    ),
    handler: async (request) => {
      const { controller, body, baseUrl } = request;
      const guid = controller.random.guid();
      const { rules = [], globally_enabled: enabled } = body;
      checkRules(rules);
      const running = body.relationships?.running_spaces?.data.map((one) => one.guid) ?? [];
      const staging = body.relationships?.staging_spaces?.data.map((one) => one.guid) ?? [];
      await checkSpaces(request, [...running, ...staging]);
      await controller.db.transaction().execute(async (tx) => {
        await insertSecurityGroup(tx, {
          guid,
          name: body.name,
          rules: JSON.stringify(rules),
          running_default: enabled?.running ?? false,
          staging_default: enabled?.staging ?? false,
        });
        await bindSecurityGroup(tx, guid, { lifecycle: 'running', spaceGuids: running });
        await bindSecurityGroup(tx, guid, { lifecycle: 'staging', spaceGuids: staging });
      });
      return created(presentSecurityGroup(await visibleGroup(request, guid), baseUrl));
    },
  }),
  route({
    method: 'PATCH',
    path: '/v3/security_groups/:guid',
    summary: 'Change a security group',
    permission: { kind: 'admin' },
    body: Type.Object(
      { name: Type.Optional(Name), globally_enabled: Type.Optional(Enabled), rules: Type.Optional(Rules) },
      strict,
    ),
    handler: async (request) => {
      const { controller, body, params, baseUrl } = request;
      const { name, rules, globally_enabled: enabled } = body;
      const group = await visibleGroup(request, params.guid);
      if (rules) checkRules(rules);
      await updateSecurityGroup(controller.db, group.guid, {
        ...(name === undefined ? {} : { name }),
        ...(rules === undefined ? {} : { rules: JSON.stringify(rules) }),
        ...(enabled?.running === undefined ? {} : { running_default: enabled.running }),
        ...(enabled?.staging === undefined ? {} : { staging_default: enabled.staging }),
      });
      return ok(presentSecurityGroup(await visibleGroup(request, group.guid), baseUrl));
    },
  }),
  route({
    method: 'DELETE',
    path: '/v3/security_groups/:guid',
    summary: 'Delete a security group',
    permission: { kind: 'admin' },
    handler: async (request) => {
      const { controller, params } = request;
      const group = await visibleGroup(request, params.guid);
      const job = await controller.db.transaction().execute(async (tx) => {
        await deleteSecurityGroup(tx, group.guid);
        return startJob(tx, { guid: controller.random.guid(), operation: 'security_group.delete', isDone: true });
      });
      return accepted(request, job);
    },
  }),
];

/** @throws PlatformError 404 when it does not exist or the caller may not see it */
export async function visibleGroup(
  { controller, caller }: Pick<ApiRequest, 'controller' | 'caller'>,
  guid: string,
): Promise<SecurityGroupRow> {
  const group = await findSecurityGroup(controller.db, caller, guid);
  if (!group) throw new PlatformError('ResourceNotFound', 'Security group not found');
  return group;
}

async function checkSpaces({ controller }: Pick<ApiRequest, 'controller'>, guids: readonly string[]): Promise<void> {
  const known = await findSpaces(controller.db, [...new Set(guids)]);
  const missing = guids.filter((guid) => !known.some((space) => space.guid === guid));
  if (missing.length > 0) {
    const list = missing.map((guid) => `'${guid}'`).join(', ');
    throw new PlatformError(
      'UnprocessableEntity',
      `Spaces with guids [${list}] do not exist, or you do not have access to them.`,
    );
  }
}

function checkRules(rules: Static<typeof Rules>): void {
  const faults = rules.flatMap((rule, i) => ruleFaults(rule).map((fault) => `Rules[${i}]: ${fault}`));
  if (faults.length > 0) throw new PlatformError('UnprocessableEntity', faults.slice(0, 5).join(', '));
}
