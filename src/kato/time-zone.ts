import { readlink, rename, rm, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { isZoneName } from '../core/host-settings.ts';
import { isMissing, readTextIfExists } from '../platform/files.ts';
import { writeOwnedFile } from '../platform/owned-files.ts';
import { Refusal } from './refusal.ts';

const places = { etc: '/etc', zones: '/usr/share/zoneinfo' };

/** Gives this machine a time zone. Gives false when it has it already. @throws Refusal when there is no such zone */
export async function setTimeZone(zone: string, { etc, zones } = places): Promise<boolean> {
  const file = join(zones, zone);
  if (!isZoneName(zone) || !(await isFile(file))) {
    throw new Refusal(`there is no time zone '${zone}'`, `for example Europe/Zurich; ${zones} has all of them`);
  }
  const [link, name] = [join(etc, 'localtime'), join(etc, 'timezone')];
  const isSet = (await readLinkIfThere(link)) === file && (await readTextIfExists(name))?.trim() === zone;
  if (isSet) return false;
  const fresh = `${link}.${process.pid}.new`;
  await rm(fresh, { force: true });
  await symlink(file, fresh);
  await rename(fresh, link);
  await writeOwnedFile(name, `${zone}\n`, { owner: { uid: 0, gid: 0 }, mode: 0o644 });
  return true;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

async function readLinkIfThere(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'EINVAL')) return undefined;
    throw error;
  }
}
