import { join } from 'node:path';
import { readJsonIfExists } from '../../platform/files.ts';
import type { Paths } from '../../platform/paths.ts';
import { type ApiClient, createFirstAdmin, logIn } from '../api-client.ts';
import type { Node } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { hasMark, leaveMark } from './marks.ts';
import { newPassword } from './new-password.ts';
import { makeSetupPassword } from './setup-password.ts';
import type { SetupContext, SetupOptions, Step } from './step.ts';

export const welcomeSpace = 'dev';

/** The administrator as asked for; kept until set-up is complete, so that an interrupted one can go on. */
export type Admin = {
  readonly email: string;
  readonly password: string;
  readonly org: string;
  readonly wasGenerated: boolean;
};

const FILE = 'first-admin.json';
const MARK = 'first-admin.done';
const DEFAULT_ORG = 'stackato';

/** Makes the first administrator. */
export const makeFirstAdmin: Step = {
  title: 'First administrator',
  run: async (context) => {
    const node = await context.node();
    if (isLeftToOthers(context.options)) return makeSetupPassword(node, context.options.password);
    if (await hasMark(node.paths, MARK)) {
      await checkPassword(node, context);
      return 'already';
    }
    const admin = await decideAdmin(node, context);
    await leaveMark(node.paths, FILE, `${JSON.stringify(admin, null, 2)}\n`);
    const outcome = await createFirstAdmin(node, admin);
    return outcome === 'made' ? 'done' : 'already';
  },
};

/** Makes the administrator's organization and space, through the API like everyone. */
export const makeOrganization: Step = {
  title: 'Organization and space',
  run: async (context) => {
    if (isLeftToOthers(context.options)) return { skipped: 'left to the first administrator' };
    const node = await context.node();
    if (await hasMark(node.paths, MARK)) return 'already';
    await makeHome(node, await getAdmin(node));
    return 'done';
  },
};

/** Is the first administrator somebody else's business? */
export function isLeftToOthers({ firstUser }: Pick<SetupOptions, 'firstUser'>): boolean {
  return firstUser === false;
}

/** Makes the administrator's organization and space, with every role in them; repeating it changes nothing. */
export async function makeHome(
  node: Node,
  admin: Pick<Admin, 'email' | 'password' | 'org'> & { userName?: string | undefined; space?: string | undefined },
): Promise<void> {
  const { org: orgName, space: spaceName = welcomeSpace, userName = admin.email } = admin;
  const api = await logIn(node, { email: userName, password: admin.password });
  const user = await api.find('/v3/users', { usernames: userName });
  const org = await ensure(api, '/v3/organizations', { names: orgName }, { name: orgName });
  const inOrg = { organization: { data: { guid: org } } };
  const space = await ensure(
    api,
    '/v3/spaces',
    { names: spaceName, organization_guids: org },
    { name: spaceName, relationships: inOrg },
  );
  if (user !== undefined) await giveRoles(api, { user, org, space });
}

/** Set-up of this node is complete: who its administrator is, without the password. */
export async function rememberAdmin(node: Node, { email, org }: Pick<Admin, 'email' | 'org'>): Promise<void> {
  await leaveMark(node.paths, FILE, `${JSON.stringify({ email, org, wasGenerated: false }, null, 2)}\n`);
  await leaveMark(node.paths, MARK);
}

/** The administrator that this set-up made, while it is not complete. */
export async function getAdmin(node: Node): Promise<Admin> {
  const admin = (await readJsonIfExists(join(node.paths.setup, FILE))) as Admin | undefined;
  if (admin === undefined)
    throw new Refusal('the first administrator of this set-up is not known', 'run `kato node setup micro` again');
  return admin;
}

/** Who an earlier set-up of this node made, or began to make, administrator. */
export async function findEarlierAdmin(paths: Paths): Promise<Pick<Admin, 'email' | 'org'> | undefined> {
  return (await readJsonIfExists(join(paths.setup, FILE))) as Admin | undefined;
}

/** The administrator of this set-up, unless it was told of already. */
export async function findNewAdmin(node: Node, options: SetupOptions): Promise<Admin | undefined> {
  return isLeftToOthers(options) || (await hasMark(node.paths, MARK)) ? undefined : getAdmin(node);
}

/** The password is needed no longer; also after an interruption between the two writes. */
export async function forgetAdminPassword(node: Node): Promise<void> {
  await leaveMark(node.paths, MARK);
  const { password: _, ...rest } = await getAdmin(node);
  await leaveMark(node.paths, FILE, `${JSON.stringify(rest, null, 2)}\n`);
}

async function decideAdmin(node: Node, { options }: SetupContext): Promise<Admin> {
  const { password } = options;
  const given = password === undefined ? {} : { password, wasGenerated: false };
  const earlier = (await readJsonIfExists(join(node.paths.setup, FILE))) as Admin | undefined;
  if (earlier !== undefined) return { ...earlier, ...given };
  const email = options.email ?? `admin@${node.config.cluster.domain}`;
  return { email, org: options.org ?? DEFAULT_ORG, password: newPassword(), wasGenerated: true, ...given };
}

/** Set-up never changes a password; whoever gives another one is told. */
async function checkPassword(node: Node, { options, notes }: SetupContext): Promise<void> {
  const { email } = await getAdmin(node);
  const { password } = options;
  if (password === undefined) return;
  try {
    await logIn(node, { email, password });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    notes.push(`${email} has another password than the one given now; set-up leaves passwords as they are`);
  }
}

async function ensure(api: ApiClient, path: string, filter: Record<string, string>, body: unknown): Promise<string> {
  return (await api.find(path, filter)) ?? (await api.create(path, body));
}

async function giveRoles(api: ApiClient, ids: { user: string; org: string; space: string }): Promise<void> {
  const relation = (guid: string) => ({ data: { guid } });
  const roles = [
    ['organization_user', { organization: relation(ids.org) }],
    ['organization_manager', { organization: relation(ids.org) }],
    ['space_manager', { space: relation(ids.space) }],
    ['space_developer', { space: relation(ids.space) }],
  ] as const;
  for (const [type, target] of roles) {
    const where = 'organization' in target ? { organization_guids: ids.org } : { space_guids: ids.space };
    if ((await api.find('/v3/roles', { types: type, user_guids: ids.user, ...where })) !== undefined) continue;
    await api.create('/v3/roles', { type, relationships: { user: relation(ids.user), ...target } });
  }
}
