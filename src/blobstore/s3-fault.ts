import { BlobStoreError, BlobStoreFullError } from './blobstore.ts';

/** What must be known of an S3 server to speak of it to people. */
export type S3Place = { readonly endpoint: string; readonly bucket: string; readonly region: string };

const FULL = new Set([
  'QuotaExceeded',
  'QuotaExceededException',
  'XMinioStorageFull',
  'InsufficientStorage',
  'EntityTooLarge',
]);
const AWAY = /^(ECONN|ENOTFOUND|EAI_|EHOST|ENET|EPIPE|ETIMEDOUT)/;
const CERTIFICATE = /^(DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|CERT_|ERR_TLS)/;

/** Is there nothing by this name? */
export function isNothing(error: unknown): boolean {
  const { code, status } = readFault(error);
  return code !== 'NoSuchBucket' && (status === 404 || code === 'NoSuchKey' || code === 'NotFound');
}

/** Did somebody replace the blob while it was read? */
export function isReplaced(error: unknown): boolean {
  return readFault(error).status === 412;
}

/** Whatever the client threw, in words that name the cause and the remedy; errors that are not the server's stay as they are. */
export function explainFault(error: unknown, place: S3Place): unknown {
  if (error instanceof BlobStoreError) return error;
  if (error instanceof AggregateError && error.cause !== undefined) return explainFault(error.cause, place);
  const { code, status, message } = readFault(error);
  const server = `the S3 server ${place.endpoint || `of ${place.region}`}`;
  const bucket = `the bucket '${place.bucket}'`;
  const say = (what: string, next: string) => new BlobStoreError(`${what}; ${next}`, { cause: error });
  if (code === 'NoSuchBucket')
    return say(`${server} has no bucket '${place.bucket}'`, 'make it, or set `kato config set blobs.s3.bucket`');
  if (code === 'InvalidAccessKeyId' || code === 'InvalidClientTokenId')
    return say(`${server} does not know the access key`, 'set it with `kato config set blobs.s3.accessKeyId -`');
  if (code === 'SignatureDoesNotMatch')
    return say(`${server} refuses the secret access key`, 'set it with `kato config set blobs.s3.secretAccessKey -`');
  if (code === 'RequestTimeTooSkewed')
    return say(`the clocks of this node and of ${server} differ by too much`, 'set them by NTP');
  if (code === 'AuthorizationHeaderMalformed' || code === 'PermanentRedirect' || status === 301)
    return say(`${bucket} is not in the region ${place.region}`, 'set `kato config set blobs.s3.region`');
  if (FULL.has(code) || status === 507) {
    return new BlobStoreFullError(`${bucket} of ${server} is full (${code || status}); free some space and try again`, {
      cause: error,
    });
  }
  if (code === 'AccessDenied' || status === 403)
    return say(
      `${server} does not let this access key use ${bucket}`,
      'allow it to read, write, list and delete there',
    );
  if (AWAY.test(code) || /Timeout/.test(code))
    return say(`${server} can't be reached (${code})`, 'check `kato config get blobs.s3` and that the server runs');
  if (CERTIFICATE.test(code))
    return say(`the certificate of ${server} is not trusted (${code})`, 'set `kato config set blobs.s3.caFile`');
  if (code === 'SlowDown' || status >= 500) return say(`${server} fails (${code || status})`, 'try again in a moment');
  if (status >= 400) return say(`${server} refused the request (${code || status}: ${message})`, 'see its log');
  return error;
}

type Fault = { readonly code: string; readonly status: number; readonly message: string };

function readFault(error: unknown): Fault {
  if (!(error instanceof Error)) return { code: '', status: 0, message: String(error) };
  const { $metadata, code } = error as { $metadata?: { httpStatusCode?: number }; code?: unknown };
  const status = $metadata?.httpStatusCode ?? 0;
  const known = typeof code === 'string' ? code : error.name;
  return { code: known === 'Error' || known === 'Unknown' ? '' : known, status, message: error.message };
}
