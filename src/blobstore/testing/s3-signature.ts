import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';

export type S3Keys = { readonly accessKeyId: string; readonly secretAccessKey: string; readonly region: string };

const MAX_SKEW_MS = 15 * 60_000;
const hash = (content: string | Buffer) => createHash('sha256').update(content).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
const encode = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * Checks a request's AWS Signature Version 4 and the hash of its content, as the published algorithm says.
 *
 * @returns the S3 error code of what is wrong, or undefined
 */
export function signatureFault(
  request: IncomingMessage,
  body: Buffer,
  expected: S3Keys & { nowMs: number },
): string | undefined {
  const header =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/;
  const [, keyId, day = '', region = '', names = '', signature = ''] =
    header.exec(request.headers.authorization ?? '') ?? [];
  const stamp = String(request.headers['x-amz-date'] ?? '');
  const contentHash = String(request.headers['x-amz-content-sha256'] ?? '');
  if (keyId === undefined) return 'AccessDenied';
  if (keyId !== expected.accessKeyId) return 'InvalidAccessKeyId';
  if (region !== expected.region) return 'AuthorizationHeaderMalformed';
  const atMs = Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!(Math.abs(atMs - expected.nowMs) <= MAX_SKEW_MS) || !stamp.startsWith(day)) return 'RequestTimeTooSkewed';
  if (contentHash !== hash(body)) return 'XAmzContentSHA256Mismatch';
  const signed = names.split(';');
  const mustSign = Object.keys(request.headers).filter((name) => name === 'host' || name.startsWith('x-amz-'));
  if (mustSign.some((name) => !signed.includes(name))) return 'AccessDenied';
  const canonical = [
    request.method,
    new URL(request.url ?? '/', 'http://s3').pathname,
    canonicalQuery(request),
    ...signed.map(
      (name) =>
        `${name}:${String(request.headers[name] ?? '')
          .trim()
          .replace(/ +/g, ' ')}`,
    ),
    '',
    names,
    contentHash,
  ].join('\n');
  const scope = `${day}/${region}/s3/aws4_request`;
  const key = [day, region, 's3', 'aws4_request'].reduce<string | Buffer>(hmac, `AWS4${expected.secretAccessKey}`);
  const wanted = hmac(key, ['AWS4-HMAC-SHA256', stamp, scope, hash(canonical)].join('\n'));
  return timingSafeEqual(wanted, Buffer.from(signature, 'hex')) ? undefined : 'SignatureDoesNotMatch';
}

function canonicalQuery(request: IncomingMessage): string {
  const { searchParams } = new URL(request.url ?? '/', 'http://s3');
  const pairs = [...searchParams].map(([name, value]) => [encode(name), encode(value)] as const);
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  return pairs
    .sort(([a, x], [b, y]) => order(a, b) || order(x, y))
    .map(([name, value]) => `${name}=${value}`)
    .join('&');
}
