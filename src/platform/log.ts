import pino from 'pino';

/** Structured log: constant verb-first event names, data as fields, ids always, secrets never. */
export type Log = {
  debug(event: string, fields?: Record<string, unknown>): void;
  info(event: string, fields?: Record<string, unknown>): void;
  warn(event: string, fields?: Record<string, unknown>): void;
  error(event: string, fields?: Record<string, unknown>): void;
  /** The same log with more fields on every line. */
  with(fields: Record<string, unknown>): Log;
};

const wrap = (logger: pino.Logger): Log => ({
  debug: (event, fields) => logger.debug(fields ?? {}, event),
  info: (event, fields) => logger.info(fields ?? {}, event),
  warn: (event, fields) => logger.warn(fields ?? {}, event),
  error: (event, fields) => logger.error(fields ?? {}, event),
  with: (fields) => wrap(logger.child(fields)),
});

const REDACTED = ['password', 'secret', 'token', 'authorization', 'credentials', 'env', 'environment', 'databaseUrl'];

/** A log of JSON lines on standard output; keys that hold secrets are blanked, one level deep too. */
export function createLog(process: string, level = 'info'): Log {
  return wrap(
    pino({
      level,
      base: { process },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
      redact: { paths: REDACTED.flatMap((key) => [key, `*.${key}`]), censor: '[hidden]' },
    }),
  );
}

/** A log that says nothing, for tests. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silentLog,
};
