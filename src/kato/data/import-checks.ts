import { statfs } from 'node:fs/promises';
import { platformVersion } from '../../contract/version.ts';
import { isLaterVersion } from '../../core/data-import.ts';
import { chooseParts, type DataPart } from '../../core/data-parts.ts';
import type { Node } from '../node.ts';
import { Refusal } from '../refusal.ts';
import type { Archive } from './archive-reader.ts';
import type { PendingSwitch } from './switch.ts';

const MB = 1_048_576;
const databaseParts: readonly DataPart[] = ['control-database', 'users', 'settings'];

/** Which parts are asked for, by the flags of the command. */
export type WantedParts = { readonly only?: readonly string[]; readonly without?: readonly string[] };

/** The parts to take of an archive; refuses what it does not hold. */
export function partsOf({ manifest }: Archive, wanted: WantedParts, takes: PendingSwitch['takes']): DataPart[] {
  const parts = chooseParts({ ...wanted, left: manifest.left });
  if ('refused' in parts)
    throw new Refusal(`${parts.refused}; nothing was changed`, '`kato data check` tells what is in it');
  const lacking = databaseParts.filter((part) => !parts.includes(part));
  if (takes === 'identity' && lacking.length > 0) {
    throw new Refusal(
      `a Core can't be restored without ${lacking.join(', ')}; nothing was changed`,
      'take an archive that holds them, or import what it holds: kato data import',
    );
  }
  return [...parts];
}

/** Refuses an archive that this machine can't take. @param bytes of the blobs that are stored */
export async function judgeArchive({ paths, file }: Node, { manifest }: Archive, bytes: number): Promise<void> {
  if (isLaterVersion(manifest.version, platformVersion)) {
    throw new Refusal(
      `the archive is of version ${manifest.version}, and this is ${platformVersion}; nothing was changed`,
      'bring this platform up to that version first',
    );
  }
  const { bavail, bsize } = await statfs(paths.blobs);
  const needed = bytes + 5 * manifest.databaseBytes;
  if (bavail * bsize >= needed) return;
  throw new Refusal(
    `${file.address} has ${Math.floor((bavail * bsize) / MB)} MB free at ${paths.state}, and this takes some ${Math.ceil(needed / MB)} MB; nothing was changed`,
    'make room first',
  );
}
