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

/** `logyard.peer`: a log server is there. Ours. */
export const LogPeer = Type.Object({
  id: Type.String(),
  since: Type.Integer({ description: 'epoch ms since when it has heard every line; the earliest answers readers' }),
  leaving: Type.Boolean({ default: false }),
});

/** `logyard.peer.{id}.apps`: which apps had lines since a time. Ours. */
export const LogPeerApps = Type.Object({
  since: Type.Integer({ description: 'epoch ms' }),
  after: Type.String({ default: '', description: 'the last app of the page before' }),
});
export const LogPeerAppsReply = Type.Object({ apps: Type.Array(Type.String()), more: Type.Boolean() });

/** `logyard.peer.{id}.read`: recent lines of one app. Times are epoch ns as text. Ours. */
export const LogPeerRead = Type.Object({
  app: Type.String(),
  start: Type.String({ description: 'inclusive' }),
  end: Type.String({ description: 'exclusive' }),
  limit: Type.Integer({ minimum: 1 }),
  descending: Type.Boolean(),
});

/** A page of them; `more`: the limit is not reached, but the page is full. */
export const LogPeerLines = Type.Object({
  tags: Type.Array(Type.Record(Type.String(), Type.String())),
  lines: Type.Array(
    Type.Object({
      at: Type.String(),
      source: Type.String(),
      instance: Type.String(),
      type: Type.Union([Type.Literal('OUT'), Type.Literal('ERR')]),
      text: Type.String(),
      tags: Type.Integer({ description: 'index in the list of tags' }),
    }),
  ),
  more: Type.Boolean(),
});

/** Reply to `logyard.drains`, of the log server that drains: how each of them fares. Ours. */
export const DrainStates = Type.Object({
  drains: Type.Array(
    Type.Object({
      name: Type.String(),
      state: Type.Union([Type.Literal('RUNNING'), Type.Literal('RETRYING')]),
      sent: Type.Integer({ description: 'lines' }),
      dropped: Type.Integer({ description: 'lines that were let go because too many waited' }),
      waiting: Type.Integer({ description: 'lines' }),
      because: Type.Optional(Type.String({ description: 'why it is retrying' })),
    }),
  ),
});
