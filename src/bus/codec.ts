import type { Static, TSchema } from 'typebox';
import { DecodeError, decode } from '../contract/decode.ts';
import type { Log } from '../platform/log.ts';

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** A payload as bytes: one JSON object, UTF-8. */
export function encodePayload(payload: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(payload));
}

/** Decodes payloads; what does not decode is logged once per subject and gives undefined. Zero bytes are `{}`. */
export class PayloadDecoder {
  #complained = new Set<string>();
  readonly #log: Log;

  constructor(log: Log) {
    this.#log = log;
  }

  decode<T extends TSchema>(schema: T, subject: string, bytes: Uint8Array): Static<T> | undefined {
    try {
      return decode(schema, bytes.length === 0 ? {} : JSON.parse(decoder.decode(bytes)), subject);
    } catch (error) {
      if (!(error instanceof DecodeError || error instanceof SyntaxError)) throw error;
      if (!this.#complained.has(subject)) this.#log.warn('dropped-message', { subject, reason: error.message });
      this.#complained.add(subject);
      return undefined;
    }
  }
}
