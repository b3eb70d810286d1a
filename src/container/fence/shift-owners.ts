import { chmodSync, lchownSync, lstatSync, opendirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Moves every owner below a folder into the containers' range of ids. A program of its own, because a stack has
 * some 100,000 files: `shift-owners.ts <folder> <offset>`. What is in the range already stays, so it can be repeated.
 */
const [root = '', offsetText = ''] = process.argv.slice(2);
const offset = Number(offsetText);
if (root === '' || !Number.isSafeInteger(offset) || offset <= 0) throw new Error('shift-owners <folder> <offset>');

function shift(path: string): boolean {
  const before = lstatSync(path);
  const moved = (id: number) => (id < offset ? id + offset : id);
  if (before.uid < offset || before.gid < offset) {
    lchownSync(path, moved(before.uid), moved(before.gid));
    // A change of owner takes the set-id bits away.
    if ((before.mode & 0o6000) !== 0 && before.isFile()) chmodSync(path, before.mode & 0o7777);
  }
  return before.isDirectory();
}

const folders = shift(root) ? [root] : [];
for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
  const entries = opendirSync(folder);
  for (let entry = entries.readSync(); entry; entry = entries.readSync()) {
    const path = join(folder, entry.name);
    if (shift(path)) folders.push(path);
  }
  entries.closeSync();
}
