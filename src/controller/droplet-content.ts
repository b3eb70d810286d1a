import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { PlatformError } from '../contract/errors.ts';

const HEADER_BYTES = 512;
const SUM_AT = 148;
const SUM_BYTES = 8;

/**
 * Looks at the beginning of an uploaded droplet, so that a wrong file is told at once and not when an instance starts.
 *
 * @throws PlatformError 422 unless it is a tar.gz with at least one entry
 */
export async function checkDropletContent(content: Readable): Promise<void> {
  if (!isTarHeader(await readHead(content))) {
    throw new PlatformError(
      'UnprocessableEntity',
      'Droplet upload is invalid: it must be a gzip-compressed tar archive, as a droplet is downloaded.',
    );
  }
}

async function readHead(content: Readable): Promise<Buffer> {
  const unpacked = createGunzip();
  content.on('error', (error) => unpacked.destroy(error));
  const pieces: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const piece of content.pipe(unpacked)) {
      pieces.push(piece as Buffer);
      bytes += (piece as Buffer).length;
      if (bytes >= HEADER_BYTES) break;
    }
  } catch (error) {
    if (!isZlibError(error)) throw error;
  } finally {
    content.destroy();
  }
  return Buffer.concat(pieces);
}

const isZlibError = (error: unknown) =>
  error instanceof Error && 'code' in error && String(error.code).startsWith('Z_');

/** A tar header holds the sum of its own bytes, its sum field read as spaces. */
function isTarHeader(head: Buffer): boolean {
  if (head.length < HEADER_BYTES) return false;
  const said = Number.parseInt(head.toString('latin1', SUM_AT, SUM_AT + SUM_BYTES), 8);
  const sum = head
    .subarray(0, HEADER_BYTES)
    .reduce((total, byte, at) => total + (at >= SUM_AT && at < SUM_AT + SUM_BYTES ? 0x20 : byte), 0);
  return said === sum;
}
