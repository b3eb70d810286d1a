import Type from 'typebox';

/** One line of an app's log. */
export const LogLine = Type.Object({
  /** Epoch nanoseconds as a decimal string. */
  at: Type.String(),
  source: Type.String({ description: 'API, STG, RTR, CELL, HEALTH, SSH, APP/PROC/WEB, APP/TASK/<name>' }),
  instance: Type.String({ default: '0', description: 'instance index, or 0' }),
  type: Type.Union([Type.Literal('OUT'), Type.Literal('ERR')]),
  text: Type.String(),
});

/** `logyard.app.{guid}`: lines of one app, in order within each (source, instance). Ours. */
export const AppLog = Type.Object({
  app: Type.String({ description: 'app guid' }),
  tags: Type.Record(Type.String(), Type.String(), { default: {} }),
  lines: Type.Array(LogLine),
});

/** `logyard.system.{process}`: lines of our own processes, shipped by the base role. Ours. */
export const SystemLog = Type.Object({
  node: Type.String(),
  process: Type.String(),
  lines: Type.Array(Type.String()),
});
