import type { Static } from 'typebox';
import Type from 'typebox';
import { DecodeError, decode } from '../../contract/decode.ts';
import { type ApiClient, query } from './api-client.ts';

/** One line of an app's log. `atNs`: epoch, ns, decimal. */
export type LogLine = {
  readonly atNs: string;
  readonly source: string;
  readonly instance: string;
  readonly type: 'OUT' | 'ERR';
  readonly text: string;
};

const ReadAnswer = Type.Object({
  envelopes: Type.Object({
    batch: Type.Array(
      Type.Object({
        timestamp: Type.String(),
        instance_id: Type.String({ default: '' }),
        tags: Type.Record(Type.String(), Type.String(), { default: {} }),
        log: Type.Optional(
          Type.Object({ payload: Type.String({ default: '' }), type: Type.String({ default: 'OUT' }) }),
        ),
      }),
    ),
  }),
});
const StreamLine = Type.Object({
  timestamp: Type.String(),
  source: Type.String(),
  instance: Type.String({ default: '' }),
  type: Type.String({ default: 'OUT' }),
  text: Type.String({ default: '' }),
});

/** The newest lines from `sinceNs` on, oldest first; at most 1000. */
export async function readLogs(
  api: ApiClient,
  logCache: string,
  request: { appGuid: string; sinceNs: bigint; limit: number },
): Promise<LogLine[]> {
  const path = `/api/v1/read/${request.appGuid}${query({
    start_time: String(request.sinceNs),
    limit: request.limit,
    descending: 'true',
    envelope_types: 'LOG',
  })}`;
  const { envelopes } = await api.get(ReadAnswer, `${logCache}${path}`);
  return envelopes.batch
    .flatMap((envelope) => {
      if (!envelope.log) return [];
      const text = Buffer.from(envelope.log.payload, 'base64').toString('utf8');
      const source = envelope.tags.source_type ?? '';
      return [
        lineOf({
          timestamp: envelope.timestamp,
          source,
          instance: envelope.instance_id,
          type: envelope.log.type,
          text,
        }),
      ];
    })
    .reverse();
}

/**
 * Lines as they are said, until the signal fires or the server ends it.
 *
 * @returns undefined when the server has no such stream
 */
export async function openLogStream(
  api: ApiClient,
  logCache: string,
  request: { appGuid: string; signal: AbortSignal },
): Promise<AsyncIterable<LogLine> | undefined> {
  const { status, headers, body } = await api.open({
    url: `${logCache}/stackato/v1/stream/${request.appGuid}`,
    headers: { accept: 'application/x-ndjson' },
    idleMs: 86_400_000,
    signal: request.signal,
  });
  const isStream = status === 200 && /ndjson|json-seq|octet-stream/.test(headers['content-type'] ?? '');
  if (!isStream) {
    body.resume();
    return undefined;
  }
  return linesOf(body);
}

async function* linesOf(body: AsyncIterable<Buffer>): AsyncIterable<LogLine> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const decoded = line.trim() === '' ? undefined : decodeLine(line);
      if (decoded) yield decoded;
    }
  }
}

function decodeLine(text: string): LogLine | undefined {
  try {
    return lineOf(decode(StreamLine, JSON.parse(text), 'log line'));
  } catch (error) {
    // One line that is not understood must not end the log.
    if (error instanceof SyntaxError || error instanceof DecodeError) return undefined;
    throw error;
  }
}

function lineOf(line: Static<typeof StreamLine>): LogLine {
  const atNs = /^-?\d+$/.test(line.timestamp) ? line.timestamp : `${Date.parse(line.timestamp) || 0}000000`;
  return { ...line, atNs, type: line.type === 'ERR' ? 'ERR' : 'OUT', text: line.text.replace(/\r?\n$/, '') };
}
