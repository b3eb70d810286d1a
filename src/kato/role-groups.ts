import { isMap, isScalar, isSeq, LineCounter, type Pair, parseDocument, type Node as YamlNode } from 'yaml';
import { type RoleName, roleNames } from '../contract/node.ts';
import { type RoleGroups, roleGroups } from '../core/role-plan.ts';
import { closest } from '../core/spelling.ts';
import { readTextIfExists } from '../platform/files.ts';
import { writeOwnedFile } from '../platform/owned-files.ts';
import type { Paths } from '../platform/paths.ts';
import { Refusal } from './refusal.ts';

const NAME = /^[a-z][a-z0-9_-]{0,62}$/;
const MEND = 'mend it; each group is a name and its roles, for example `front: [router, controller]`';

/** The groups of roles that count on this node: those that come with this version, and the administrators' own. */
export async function readRoleGroups({ roleGroupsFile }: Pick<Paths, 'roleGroupsFile'>): Promise<RoleGroups> {
  const text = await readTextIfExists(roleGroupsFile);
  return { ...roleGroups, ...(text === undefined ? {} : parseRoleGroups(text, roleGroupsFile)) };
}

/** Writes the file for administrators to edit, unless it is there. Gives true when it was not. */
export async function ensureRoleGroupsFile({ roleGroupsFile }: Pick<Paths, 'roleGroupsFile'>): Promise<boolean> {
  if ((await readTextIfExists(roleGroupsFile)) !== undefined) return false;
  return writeOwnedFile(roleGroupsFile, initialText(), { owner: { uid: 0, gid: 0 }, mode: 0o644 });
}

/**
 * The groups in a text.
 *
 * @throws Refusal naming the line of what is wrong
 */
export function parseRoleGroups(text: string, file: string): RoleGroups {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const at = (node: unknown) => lines.linePos((node as YamlNode | undefined)?.range?.[0] ?? 0).line;
  const refuse = (line: number, why: string): never => {
    throw new Refusal(`${file}, line ${line}: ${why}`, MEND);
  };
  const [fault] = document.errors;
  if (fault !== undefined) refuse(lines.linePos(fault.pos[0]).line, fault.message);
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === null)) return {};
  if (!isMap(contents)) return refuse(at(contents), 'it is no list of groups by name');
  const groups = (contents.items as Pair<YamlNode, YamlNode | null>[]).map(({ key, value }) => {
    const name = isScalar(key) ? String(key.value) : '';
    if (!NAME.test(name)) refuse(at(key), `'${name}' is no name of a group: small letters, digits, - and _`);
    if (isRole(name)) refuse(at(key), `'${name}' is a role; give the group another name`);
    if (!isSeq(value)) return refuse(at(value ?? key), `the group ${name} has no list of roles`);
    const roles = value.items.map((item) => {
      const role = isScalar(item) ? String(item.value) : '';
      if (isRole(role)) return role;
      const meant = closest(role, roleNames);
      return refuse(at(item), `there is no role '${role}'${meant === undefined ? '' : `; did you mean ${meant}?`}`);
    });
    return [name, roles] as const;
  });
  return Object.fromEntries(groups);
}

function isRole(name: string): name is RoleName {
  return roleNames.some((role) => role === name);
}

function initialText(): string {
  const own = Object.entries(roleGroups).map(([name, roles]) => `# ${name}: [${roles.join(', ')}]`);
  return [
    '# Groups of roles, for `kato role add GROUP`, `kato node attach -e GROUP` and wherever kato takes roles.',
    '# These come with this version; a group of the same name here takes the place of one:',
    '#',
    ...own,
    '#',
    '# Your own:',
    '#',
    '# front: [router, controller]',
    '',
  ].join('\n');
}
