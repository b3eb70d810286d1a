import { ByteReader, SourceEnded } from './byte-reader.ts';

/** One file of a tar archive. */
export type TarFile = {
  readonly path: string;
  readonly bytes: number;
  readonly content: AsyncIterable<Buffer>;
};

/** A tar archive can't be read; the message says where it is wrong. */
export class TarError extends Error {
  override name = 'TarError';
}

const BLOCK = 512;
const PIECE = 256 * 1024;
const LARGEST_OCTAL = 8 ** 11;

/**
 * A tar archive (POSIX ustar) of plain files of any size, as they come.
 *
 * @throws TarError when a path is too long or a file gives other than its bytes
 */
export async function* writeTar(files: AsyncIterable<TarFile>, options: { mtimeS: number }): AsyncGenerator<Buffer> {
  for await (const file of files) {
    yield header(file, options.mtimeS);
    let given = 0;
    for await (const piece of file.content) {
      given += piece.length;
      if (given > file.bytes) break;
      yield piece;
    }
    if (given !== file.bytes) throw new TarError(`'${file.path}' changed while it was read`);
    yield Buffer.alloc(paddingOf(file.bytes));
  }
  yield Buffer.alloc(2 * BLOCK);
}

/**
 * The files of a tar archive that `writeTar` wrote. Each content is read before the next file is asked for; what was
 * left of it is skipped.
 *
 * @throws TarError for anything but plain files with relative paths
 */
export async function* readTar(source: AsyncIterable<Buffer>): AsyncGenerator<TarFile> {
  const reader = new ByteReader(source);
  for (;;) {
    const block = await orCut(() => reader.read(BLOCK));
    if (block.every((byte) => byte === 0)) break;
    const { path, bytes } = parseHeader(block);
    const content = contentOf(reader, bytes);
    yield { path, bytes, content };
    for await (const _ of content);
    await orCut(() => reader.read(paddingOf(bytes)));
  }
  // The rest proves that the source is whole.
  while ((await reader.readUpTo(PIECE)).length > 0);
}

async function* contentOf(reader: ByteReader, bytes: number): AsyncGenerator<Buffer> {
  for (let left = bytes; left > 0; ) {
    const piece = await orCut(() => reader.read(Math.min(left, PIECE)));
    left -= piece.length;
    yield piece;
  }
}

function header({ path, bytes }: TarFile, mtimeS: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const { prefix, name } = splitPath(path);
  block.write(name, 0, 100, 'utf8');
  block.write('0000600', 100, 'latin1');
  block.write('0000000', 108, 'latin1');
  block.write('0000000', 116, 'latin1');
  if (bytes < LARGEST_OCTAL) block.write(`${bytes.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  else {
    block[124] = 0x80;
    block.writeBigUInt64BE(BigInt(bytes), 128);
  }
  block.write(`${Math.floor(mtimeS).toString(8).padStart(11, '0')}\0`, 136, 'latin1');
  block.write('        0', 148, 'latin1');
  block.write('ustar', 257, 'latin1');
  block.write('00', 263, 'latin1');
  block.write(prefix, 345, 155, 'utf8');
  block.write(`${sumOf(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function splitPath(path: string): { prefix: string; name: string } {
  if (Buffer.byteLength(path) <= 100) return { prefix: '', name: path };
  for (let at = path.indexOf('/'); at > 0; at = path.indexOf('/', at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (Buffer.byteLength(prefix) <= 155 && Buffer.byteLength(name) <= 100) return { prefix, name };
  }
  throw new TarError(`'${path}' is too long for a tar archive`);
}

function parseHeader(block: Buffer): { path: string; bytes: number } {
  const text = (from: number, to: number) => block.toString('utf8', from, to).replace(/\0[\s\S]*$/, '');
  const sum = Number.parseInt(text(148, 156), 8);
  const blanked = Buffer.from(block).fill(' ', 148, 156);
  if (sum !== sumOf(blanked)) throw new TarError('a head in the archive is damaged');
  const prefix = text(345, 500);
  const path = prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`;
  const isPlain = block[156] === 0x30 || block[156] === 0;
  if (!isPlain) throw new TarError(`'${path}' is no plain file`);
  if (path === '' || path.startsWith('/') || path.split('/').some((part) => part === '..' || part === '')) {
    throw new TarError(`'${path}' is no path in an archive`);
  }
  const bytes = block[124] === 0x80 ? Number(block.readBigUInt64BE(128)) : Number.parseInt(text(124, 136), 8);
  if (!Number.isSafeInteger(bytes) || bytes < 0) throw new TarError(`'${path}' has no size`);
  return { path, bytes };
}

/** The sum of a head whose own place for it holds blanks. */
function sumOf(block: Buffer): number {
  let sum = 0;
  for (const byte of block) sum += byte;
  return sum;
}

const paddingOf = (bytes: number) => (BLOCK - (bytes % BLOCK)) % BLOCK;

async function orCut<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof SourceEnded)) throw cause;
    throw new TarError('the archive was cut', { cause });
  }
}
