import { createCipheriv, createDecipheriv, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Encrypts secrets for the database. `key`: 32 bytes, base64. */
export type SecretBox = { seal(plain: string): string; open(sealed: string): string };

/** AES-256-GCM with a fresh nonce per value; the text form is `v1.<nonce>.<tag>.<cipher>`, base64url. */
export function secretBox(keyBase64: string): SecretBox {
  const key = Buffer.from(keyBase64, 'base64');
  if (key.length !== 32) throw new Error('the encryption key must be 32 bytes, base64');
  return {
    seal: (plain) => {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return ['v1', ...[nonce, cipher.getAuthTag(), body].map((part) => part.toString('base64url'))].join('.');
    },
    open: (sealed) => {
      const [version, nonce, tag, body] = sealed.split('.');
      if (version !== 'v1' || nonce === undefined || tag === undefined || body === undefined) {
        throw new Error('not a sealed secret');
      }
      const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64url'));
      decipher.setAuthTag(Buffer.from(tag, 'base64url'));
      return Buffer.concat([decipher.update(Buffer.from(body, 'base64url')), decipher.final()]).toString('utf8');
    },
  };
}

/** Adds `expires` (epoch s) and `signature` to an internal path, bound to the method, so that its holder needs no other credentials. */
export function signPath(keyBase64: string, request: { method: string; path: string; expiresAtS: number }): string {
  return `${request.path}?expires=${request.expiresAtS}&signature=${signatureOf(keyBase64, request)}`;
}

/** Is this a path that `signPath` made for this method, and still valid? */
export function isSignedPath(keyBase64: string, method: string, url: string, nowMs: number): boolean {
  const { pathname, searchParams } = new URL(url, 'http://internal');
  const expiresAtS = Number(searchParams.get('expires'));
  if (!Number.isSafeInteger(expiresAtS) || expiresAtS * 1000 < nowMs) return false;
  const given = Buffer.from(searchParams.get('signature') ?? '');
  const expected = Buffer.from(signatureOf(keyBase64, { method, path: pathname, expiresAtS }));
  return given.length === expected.length && timingSafeEqual(given, expected);
}

function signatureOf(keyBase64: string, request: { method: string; path: string; expiresAtS: number }): string {
  return createHmac('sha256', Buffer.from(keyBase64, 'base64'))
    .update(`${request.method} ${request.path} ${request.expiresAtS}`)
    .digest('base64url');
}

/** A password of 48 hexadecimal digits that only the holder of this key (32 bytes, base64) can find from its label. */
export function derivePassword(keyBase64: string, label: string): string {
  const key = Buffer.from(keyBase64, 'base64');
  if (key.length !== 32) throw new Error('the key of derived passwords must be 32 bytes, base64');
  return createHmac('sha256', key).update(`password ${label}`).digest('hex').slice(0, 48);
}
