import Type from 'typebox';

/** `vcap.component.announce`, and the reply to `vcap.component.discover` (which adds `uptime`). */
export const ComponentAnnounce = Type.Object({
  type: Type.String({ description: 'CloudController, DEA, HealthManager, Router, Stager, …' }),
  index: Type.Union([Type.Integer(), Type.Null()]),
  uuid: Type.String({ description: '<index>-<32 hex>' }),
  host: Type.String({ description: 'ip:port of the status server (/healthz, /varz)' }),
  credentials: Type.Array(Type.String(), { description: '[user, password] of the status server' }),
  start: Type.String({ description: 'YYYY-MM-DD HH:MM:SS +0000' }),
  uptime: Type.Optional(Type.String({ description: '0d:3h:22m:31s' })),
  process: Type.Optional(Type.String({ description: 'name of the process, as the supervisor knows it. Ours' })),
  pid: Type.Optional(Type.Integer({ description: 'Ours' })),
});

/** An empty request; peers send zero bytes or `{}`. */
export const Empty = Type.Object({});
