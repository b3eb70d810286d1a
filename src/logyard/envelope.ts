import type { KeptLine } from '../core/log-ring.ts';

/** A Log Cache envelope in its JSON form: 64-bit numbers as text, bytes as base64, and not one key more. */
export function envelopeOf(app: string, line: KeptLine) {
  return {
    timestamp: String(line.atNs),
    source_id: app,
    instance_id: line.instance,
    deprecated_tags: {},
    tags: { ...line.tags, app_id: app, origin: 'rep', source_type: line.source, instance_id: line.instance },
    log: { payload: Buffer.from(line.text, 'utf8').toString('base64'), type: line.type },
  };
}

/** A line of our own stream. */
export function streamLineOf({ atNs, source, instance, type, text }: KeptLine) {
  return { timestamp: String(atNs), source, instance, type, text };
}

export type StreamLine = ReturnType<typeof streamLineOf>;
