import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join, posix } from 'node:path';
import ignore, { type Ignore } from 'ignore';
import { isMissing } from '../../platform/files.ts';
import { ClientError } from '../client-error.ts';

/** One thing of an app's folder that is uploaded. `path` is relative, with `/`. */
export type AppFile =
  | {
      readonly kind: 'file';
      readonly path: string;
      readonly absolute: string;
      readonly bytes: number;
      readonly mode: number;
      readonly modified: Date;
    }
  | { readonly kind: 'link'; readonly path: string; readonly to: string; readonly modified: Date }
  | { readonly kind: 'folder'; readonly path: string; readonly mode: number; readonly modified: Date };

export type AppFiles = { readonly files: readonly AppFile[]; readonly notes: readonly string[] };

/** Never uploaded, unless an ignore file takes it back with `!`. */
const DEFAULTS = [
  '.cfignore',
  '.stackatoignore',
  '/manifest.yml',
  '/stackato.yml',
  '.gitignore',
  '.git',
  '.hg',
  '.svn',
  '_darcs',
  '.DS_Store',
];
const IGNORE_FILES = ['.cfignore', '.stackatoignore'];
const NOT_TO_ZIP = /[\\\uFFFD]/;

/**
 * Lists what is to be uploaded of a folder: ignore files obeyed, links inside kept and never followed, empty folders kept.
 *
 * @throws ClientError when the folder is missing, empty, or has files that can't be read
 */
export async function listAppFiles(folder: string, ignores: readonly string[]): Promise<AppFiles> {
  const filter = ignore().add(DEFAULTS);
  for (const name of IGNORE_FILES) filter.add(await readIfThere(join(folder, name)));
  filter.add([...ignores]);
  const files: AppFile[] = [];
  const notes: string[] = [];
  await walk({ folder, filter, files, notes }, '');
  if (!files.some(({ kind }) => kind !== 'folder')) {
    throw new ClientError(`There is nothing to push in ${folder}`, {
      next: 'Go to the folder that holds the code, or name it: stackato push NAME --path FOLDER',
    });
  }
  if (files.some(({ path }) => path.startsWith('node_modules/'))) {
    notes.push('node_modules is uploaded too; a line `node_modules` in .cfignore leaves it to staging');
  }
  return { files, notes };
}

type Walk = { readonly folder: string; readonly filter: Ignore; readonly files: AppFile[]; readonly notes: string[] };

async function walk(walked: Walk, path: string): Promise<void> {
  const entries = await readFolder(join(walked.folder, path), path);
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const child = path === '' ? entry.name : `${path}/${entry.name}`;
    if (walked.filter.ignores(entry.isDirectory() ? `${child}/` : child)) continue;
    if (NOT_TO_ZIP.test(entry.name)) {
      throw new ClientError(`The name ${JSON.stringify(child)} can't be uploaded: it has a backslash or is not UTF-8`, {
        next: 'Rename it, or leave it out by a line in .cfignore',
      });
    }
    await add(walked, child);
  }
}

async function add(walked: Walk, path: string): Promise<void> {
  const absolute = join(walked.folder, path);
  const stats = await lstat(absolute);
  const modified = stats.mtime;
  if (stats.isDirectory()) {
    const before = walked.files.length;
    await walk(walked, path);
    if (walked.files.length === before) walked.files.push({ kind: 'folder', path, mode: stats.mode, modified });
  } else if (stats.isSymbolicLink()) {
    const to = await readlink(absolute);
    if (isInside(path, to)) walked.files.push({ kind: 'link', path, to, modified });
    else walked.notes.push(`${path} is left out: it is a link to ${to}, outside of the folder`);
  } else if (stats.isFile()) {
    walked.files.push({ kind: 'file', path, absolute, bytes: stats.size, mode: stats.mode, modified });
  } else walked.notes.push(`${path} is left out: it is neither a file nor a folder`);
}

function isInside(path: string, to: string): boolean {
  if (to.startsWith('/')) return false;
  const target = posix.normalize(posix.join(posix.dirname(path), to));
  return target !== '..' && !target.startsWith('../');
}

async function readFolder(absolute: string, path: string) {
  try {
    return await readdir(absolute, { withFileTypes: true });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (path !== '' || (code !== 'ENOENT' && code !== 'ENOTDIR')) {
      throw new ClientError(`${absolute} can't be read: ${message}`, {
        cause: error,
        next: 'Make it readable, or leave it out by a line in .cfignore',
      });
    }
    throw new ClientError(`There is no folder ${absolute}`, { cause: error, next: 'Check --path' });
  }
}

async function readIfThere(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return '';
    throw new ClientError(`${path} can't be read: ${(error as Error).message}`, { cause: error });
  }
}
