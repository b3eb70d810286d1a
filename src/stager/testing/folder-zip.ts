import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import yazl from 'yazl';

/** A folder as the zip archive that a client uploads. */
export async function zipFolder(folder: string): Promise<Buffer> {
  const archive = new yazl.ZipFile();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    archive.addFile(path, path.slice(folder.length + 1), { mode: (await lstat(path)).mode });
  }
  archive.end();
  const chunks: Buffer[] = [];
  for await (const chunk of archive.outputStream) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks);
}
