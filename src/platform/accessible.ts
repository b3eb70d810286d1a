import { statSync } from 'node:fs';

/** Is this path a file? A path that can't be looked at is none. */
export function isFileSync(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
