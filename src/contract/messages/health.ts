import Type from 'typebox';

/** `droplet.updated`: the desired state of this process changed. */
export const DropletUpdated = Type.Object({ droplet: Type.String(), cc_partition: Type.Optional(Type.String()) });

/** `health.start`: start these indices; refused unless `version` is current. */
export const HealthStart = Type.Object({
  droplet: Type.String(),
  version: Type.String(),
  indices: Type.Array(Type.Integer()),
  last_updated: Type.Integer({ description: 'epoch s' }),
  running: Type.Record(Type.String(), Type.Integer(), { default: {}, description: 'version → running instances' }),
  flapping: Type.Boolean({ default: false }),
  /** Grows with each change of the health manager that leads. Ours. */
  term: Type.Optional(Type.Integer()),
});

/** `health.stop`: stop these instances. */
export const HealthStop = Type.Object({
  droplet: Type.String(),
  version: Type.String(),
  last_updated: Type.Integer(),
  instances: Type.Record(Type.String(), Type.String(), { description: 'instance id → version' }),
  running: Type.Record(Type.String(), Type.Integer(), { default: {} }),
  term: Type.Optional(Type.Integer()),
});

/** `healthmanager.status` request. */
export const HealthStatusRequest = Type.Object({
  droplet: Type.String(),
  state: Type.String({ description: 'FLAPPING or CRASHED' }),
  version: Type.Optional(Type.String()),
});

/** Reply to `healthmanager.status`: indices for FLAPPING, instances for CRASHED; times in epoch s. */
export const HealthStatusReply = Type.Object({
  indices: Type.Optional(Type.Array(Type.Object({ index: Type.Integer(), since: Type.Number() }))),
  instances: Type.Optional(Type.Array(Type.Object({ instance: Type.String(), since: Type.Number() }))),
});

/** `healthmanager.health` request and each of its replies. */
export const HealthHealthRequest = Type.Object({
  droplets: Type.Array(Type.Object({ droplet: Type.String(), version: Type.Optional(Type.String()) })),
});
export const HealthHealthReply = Type.Object({
  droplet: Type.String(),
  version: Type.String(),
  healthy: Type.Integer(),
});

/** Reply to `cloudcontroller.bulk.credentials`; `url` is ours: where the bulk API is. */
export const BulkCredentials = Type.Object({
  user: Type.String(),
  password: Type.String(),
  url: Type.Optional(Type.String()),
});

/** One app of `GET /bulk/apps`, keyed by process guid. */
export const BulkApp = Type.Object({
  id: Type.Union([Type.Integer(), Type.String()]),
  instances: Type.Integer(),
  state: Type.String({ description: 'STARTED or STOPPED' }),
  memory: Type.Integer(),
  package_state: Type.String({ description: 'STAGED, PENDING or FAILED' }),
  updated_at: Type.String({ description: 'RFC 3339' }),
  version: Type.String(),
});

/** `GET /bulk/apps`; empty `results` ends the walk. */
export const BulkAppsPage = Type.Object({
  results: Type.Record(Type.String(), BulkApp),
  bulk_token: Type.Record(Type.String(), Type.Unknown()),
});
