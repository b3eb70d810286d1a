import { BlobStoreError } from '../../blobstore/blobstore.ts';
import { type ErrorDocument, errorDocument, errorTable, PlatformError } from '../../contract/errors.ts';
import { databaseTrouble } from '../../platform/db.ts';

/** An error as the API answers it; `isBug` asks for a stack in the log, `retryAfterS` tells clients to ask again. */
export type ErrorAnswer = {
  readonly status: number;
  readonly body: ErrorDocument;
  readonly isBug: boolean;
  readonly retryAfterS?: number;
};

const NOT_TEXT = new Set(['22021', '22P05', '22P02']);

/** Turns whatever was thrown into the error document of the API. */
export function answerError(error: unknown, requestId: string): ErrorAnswer {
  if (error instanceof PlatformError) return answer(error.kind, error.message);
  if (!(error instanceof Error)) return unexpected(requestId);
  const code = 'code' in error ? String(error.code) : '';
  if (code.startsWith('FST_ERR_CTP_BODY_TOO_LARGE')) return platform('UploadTooLarge', 'the request body is too large');
  if (code.startsWith('FST_ERR_CTP') || isSyntax(error)) return platform('MessageParseError', 'invalid request body');
  if (code === 'FST_ERR_MAX_PARAM_LENGTH') return platform('NotFound', '');
  if (code.startsWith('FST_ERR_BAD_URL')) return platform('BadRequest', 'the path is not a valid URL');
  if (NOT_TEXT.has(code)) return platform('UnprocessableEntity', 'A text contains a character that cannot be stored.');
  if (error instanceof BlobStoreError) {
    const detail = `The store of packages and droplets can't be used: ${error.message}.`;
    return { ...platform('ServiceUnavailable', detail), isBug: true };
  }
  const trouble = databaseTrouble(error);
  if (trouble) {
    const away = { ...platform('ServiceUnavailable', trouble.says), isBug: true };
    return trouble.passesSoon ? { ...away, retryAfterS: 1 } : away;
  }
  return unexpected(requestId);
}

/** The document for what is no HTTP request. */
export function brokenRequest(detail: string): ErrorDocument {
  return platform('BadRequest', detail).body;
}

function isSyntax(error: Error): boolean {
  return error instanceof SyntaxError && 'statusCode' in error && error.statusCode === 400;
}

function platform(kind: PlatformError['kind'], detail: string): ErrorAnswer {
  return answer(kind, new PlatformError(kind, detail).message);
}

function answer(kind: PlatformError['kind'], detail: string): ErrorAnswer {
  return { status: errorTable[kind].status, body: errorDocument(kind, detail), isBug: false };
}

function unexpected(requestId: string): ErrorAnswer {
  const detail = `An unexpected error occurred. The request id ${requestId} names it in the controller's log.`;
  return { status: 500, body: errorDocument('ServerError', detail), isBug: true };
}
