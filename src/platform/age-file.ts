import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  hkdfSync,
  randomBytes,
  scrypt,
  timingSafeEqual,
} from 'node:crypto';
import { ByteReader, SourceEnded } from './byte-reader.ts';

/** An encrypted file can't be read: `because` tells a wrong passphrase from a file that is none, was cut or changed. */
export class AgeError extends Error {
  override name = 'AgeError';
  readonly because: 'passphrase' | 'format' | 'damaged';
  constructor(because: AgeError['because'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.because = because;
  }
}

const INTRO = 'age-encryption.org/v1';
const LABEL = Buffer.from(`${INTRO}/scrypt`);
const CHUNK = 64 * 1024;
const TAG = 16;
/** More would let a forged file take gigabytes of memory. */
const MOST_LOG_N = 20;
const ZERO_NONCE = Buffer.alloc(12);

/**
 * Encrypts a stream with a passphrase, in the age v1 format (age-encryption.org, C2SP): scrypt, then ChaCha20-Poly1305
 * in chunks of 64 KB whose last one is marked, so that a file that was cut anywhere is known.
 *
 * @param options `logN`: scrypt's cost, 2^(logN + 10) bytes of memory; 18 for passphrases of people
 */
export async function* encryptAge(
  source: AsyncIterable<Buffer>,
  passphrase: string,
  options: { logN: number },
): AsyncGenerator<Buffer> {
  const fileKey = randomBytes(16);
  yield await makeHeader(fileKey, passphrase, options.logN);
  const nonce = randomBytes(16);
  yield nonce;
  const key = derive(fileKey, nonce, 'payload');
  const reader = new ByteReader(source);
  let chunk = await reader.readUpTo(CHUNK);
  for (let counter = 0; ; counter += 1) {
    const next = chunk.length < CHUNK ? Buffer.alloc(0) : await reader.readUpTo(CHUNK);
    yield seal(key, chunkNonce(counter, next.length === 0), chunk);
    if (next.length === 0) return;
    chunk = next;
  }
}

/**
 * Decrypts what `encryptAge`, or any age tool with a passphrase, wrote. Every piece given out was proven; that the file
 * is whole is known only when the stream ends without an error.
 *
 * @throws AgeError when it is no such file, the passphrase is another, or the file was cut or changed
 */
export async function* decryptAge(source: AsyncIterable<Buffer>, passphrase: string): AsyncGenerator<Buffer> {
  const reader = new ByteReader(source);
  const fileKey = await readHeader(reader, passphrase);
  const key = derive(fileKey, await orDamaged(() => reader.read(16)), 'payload');
  let chunk = await reader.readUpTo(CHUNK + TAG);
  for (let counter = 0; ; counter += 1) {
    const next = chunk.length < CHUNK + TAG ? Buffer.alloc(0) : await reader.readUpTo(CHUNK + TAG);
    const isLast = next.length === 0;
    const plain = open(key, chunkNonce(counter, isLast), chunk);
    if (plain === undefined || (plain.length === 0 && counter > 0)) {
      throw new AgeError('damaged', 'the file was cut or changed');
    }
    yield plain;
    if (isLast) return;
    chunk = next;
  }
}

async function makeHeader(fileKey: Buffer, passphrase: string, logN: number): Promise<Buffer> {
  const salt = randomBytes(16);
  const wrapped = seal(await stretch(passphrase, salt, logN), ZERO_NONCE, fileKey);
  const head = `${INTRO}\n-> scrypt ${unpadded(salt)} ${logN}\n${unpadded(wrapped)}\n---`;
  return Buffer.from(`${head} ${unpadded(headerMac(fileKey, head))}\n`);
}

async function readHeader(reader: ByteReader, passphrase: string): Promise<Buffer> {
  const lines: string[] = [];
  try {
    for (let at = 0; at < 4; at += 1) lines.push(await reader.readLine(200));
  } catch (cause) {
    if (!(cause instanceof SourceEnded)) throw cause;
    throw new AgeError('format', 'this is no encrypted archive', { cause });
  }
  const [intro, stanza = '', body = '', last = ''] = lines;
  const [, salt, logN] = /^-> scrypt ([A-Za-z0-9+/]{22}) ([1-9]\d?)$/.exec(stanza) ?? [];
  const [, mac] = /^--- ([A-Za-z0-9+/]{43})$/.exec(last) ?? [];
  if (intro !== INTRO || salt === undefined || mac === undefined || !/^[A-Za-z0-9+/]{43}$/.test(body)) {
    throw new AgeError('format', 'this is no archive that is encrypted with a passphrase');
  }
  if (Number(logN) > MOST_LOG_N) throw new AgeError('format', `its passphrase costs too much to try (2^${logN})`);
  const wrapping = await stretch(passphrase, Buffer.from(salt, 'base64'), Number(logN));
  const fileKey = open(wrapping, ZERO_NONCE, Buffer.from(body, 'base64'));
  if (fileKey === undefined) throw new AgeError('passphrase', 'the passphrase is not the one of this archive');
  const expected = headerMac(fileKey, `${lines.slice(0, 3).join('\n')}\n---`);
  if (!timingSafeEqual(expected, Buffer.from(mac, 'base64'))) throw new AgeError('damaged', 'its head was changed');
  return fileKey;
}

function stretch(passphrase: string, salt: Buffer, logN: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const cost = { N: 2 ** logN, r: 8, p: 1, maxmem: 2 ** (logN + 10) + 2 ** 25 };
  scrypt(passphrase, Buffer.concat([LABEL, salt]), 32, cost, (error, key) => (error ? reject(error) : resolve(key)));
  return promise;
}

function derive(fileKey: Buffer, salt: Buffer, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', fileKey, salt, info, 32));
}

function headerMac(fileKey: Buffer, head: string): Buffer {
  return createHmac('sha256', derive(fileKey, Buffer.alloc(0), 'header'))
    .update(head)
    .digest();
}

function chunkNonce(counter: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntBE(counter, 5, 6);
  nonce[11] = isLast ? 1 : 0;
  return nonce;
}

function seal(key: Buffer, nonce: Buffer, plain: Buffer): Buffer {
  const cipher = createCipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG });
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined when it is not what this key sealed. */
function open(key: Buffer, nonce: Buffer, sealed: Buffer): Buffer | undefined {
  if (sealed.length < TAG) return undefined;
  const decipher = createDecipheriv('chacha20-poly1305', key, nonce, { authTagLength: TAG });
  decipher.setAuthTag(sealed.subarray(sealed.length - TAG));
  const plain = decipher.update(sealed.subarray(0, sealed.length - TAG));
  try {
    decipher.final();
    return plain;
  } catch (error) {
    if (error instanceof Error && /unable to authenticate/i.test(error.message)) return undefined;
    throw error;
  }
}

async function orDamaged<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof SourceEnded)) throw cause;
    throw new AgeError('damaged', 'the file was cut', { cause });
  }
}

const unpadded = (bytes: Buffer) => bytes.toString('base64').replace(/=+$/, '');
