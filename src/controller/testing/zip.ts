import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

/** A file of a test archive with any mode, such as a link or a device. */
export type ZipEntry = { readonly text: string; readonly mode?: number };

/** A zip of these files; links have mode 0o120777 and their target as text. */
export async function zipOf(files: Readonly<Record<string, string | ZipEntry>>): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [path, file] of Object.entries(files)) {
    const { text, mode = 0o100644 } = typeof file === 'string' ? { text: file } : file;
    zip.addBuffer(Buffer.from(text), path, { mode });
  }
  zip.end();
  return buffer(zip.outputStream as Readable);
}

/** The same zip with a name replaced by another one of equal length: names that no honest tool writes. */
export function renameInZip(zip: Buffer, from: string, to: string): Buffer {
  if (from.length !== to.length) throw new Error('names must have the same length');
  const text = zip.toString('latin1').replaceAll(from, to);
  return Buffer.from(text, 'latin1');
}
