import Type from 'typebox';

/** `dea.start` and the head of `dea.shutdown` and `dea.status` replies. */
export const DeaHello = Type.Object({ id: Type.String(), ip: Type.String(), version: Type.String() });

/** `dea.advertise`, every few seconds. MB. */
export const DeaAdvertise = Type.Object({
  id: Type.String(),
  ip: Type.Optional(Type.String()),
  available_memory: Type.Integer(),
  available_disk: Type.Integer(),
  physical_memory: Type.Optional(Type.Integer()),
  stacks: Type.Array(Type.String(), { default: [] }),
  app_id_to_count: Type.Record(Type.String(), Type.Integer(), { default: {}, description: 'process guid → instances' }),
  placement_properties: Type.Object(
    {
      zone: Type.String({ default: 'default' }),
      zones: Type.Optional(Type.Array(Type.String(), { description: 'every placement zone of it' })),
      availability_zone: Type.Optional(Type.String()),
    },
    { default: {} },
  ),
});

/** `dea.shutdown`: forget this DEA at once. */
export const DeaShutdown = Type.Object({
  ...DeaHello.properties,
  app_id_to_count: Type.Record(Type.String(), Type.Integer(), { default: {} }),
});

/** Reply to `dea.status`. MB. */
export const DeaStatus = Type.Object({
  ...DeaHello.properties,
  max_memory: Type.Integer(),
  reserved_memory: Type.Integer(),
  used_memory: Type.Integer(),
  num_clients: Type.Union([Type.Integer(), Type.Null()]),
  state: Type.Optional(Type.String()),
});

/** How an instance proves that it lives. Times in whole units as named; null means the default. */
export const HealthCheck = Type.Object({
  type: Type.Union([Type.Literal('port'), Type.Literal('http'), Type.Literal('process')]),
  endpoint: Type.Optional(Type.String()),
  timeout_s: Type.Integer({ default: 60, description: 'from start until the first success' }),
  invocation_timeout_s: Type.Integer({ default: 1 }),
  interval_s: Type.Integer({ default: 30, description: 'between checks once healthy' }),
});

/** One egress rule, in the application security group form. */
export const EgressRule = Type.Object({
  protocol: Type.Union([
    Type.Literal('tcp'),
    Type.Literal('udp'),
    Type.Literal('icmp'),
    Type.Literal('icmpv6'),
    Type.Literal('all'),
  ]),
  destination: Type.String({ description: 'address, CIDR, or first-last range; several separated by commas' }),
  ports: Type.Optional(Type.String({ description: '443, 80,443 or 8000-9000' })),
  type: Type.Optional(Type.Integer()),
  code: Type.Optional(Type.Integer()),
});

/** Reply to `dea.{id}.evacuate`: how many instances still have to start elsewhere. Ours. */
export const DeaEvacuating = Type.Object({ instances: Type.Integer({ minimum: 0 }) });

/** `dea.{id}.start`: start one instance. Ids are strings, limits integers in MB. The keys below `x` are ours. */
export const DeaStart = Type.Object({
  droplet: Type.String({ description: 'process guid' }),
  index: Type.Integer({ minimum: 0 }),
  version: Type.String(),
  name: Type.String(),
  uris: Type.Array(Type.String(), { default: [] }),
  prod: Type.Boolean({ default: false }),
  sha1: Type.Union([Type.String(), Type.Null()], { default: null }),
  executableUri: Type.Union([Type.String(), Type.Null()], { default: null }),
  executableFile: Type.String({ default: 'deprecated' }),
  limits: Type.Object({ mem: Type.Integer(), disk: Type.Integer(), fds: Type.Integer({ default: 16384 }) }),
  services: Type.Array(Type.Unknown(), { default: [] }),
  env: Type.Array(Type.String(), { default: [], description: 'K=V, split at the first =' }),
  cc_partition: Type.String({ default: 'default' }),
  start_command: Type.Union([Type.String(), Type.Null()], { default: null }),
  health_check_timeout: Type.Union([Type.Integer(), Type.Null()], { default: null }),
  stack: Type.String({ default: '' }),
  vcap_application: Type.Record(Type.String(), Type.Unknown(), { default: {} }),
  egress_network_rules: Type.Array(EgressRule, { default: [] }),
  x: Type.Optional(
    Type.Object({
      sha256: Type.String({ description: 'of the droplet archive' }),
      app_guid: Type.String(),
      process_type: Type.String({ default: 'web' }),
      vcap_services: Type.Record(Type.String(), Type.Unknown(), { default: {} }),
      health_check: HealthCheck,
      /** Route options by uri, handed on to the routers. */
      route_protocols: Type.Record(Type.String(), Type.String(), { default: {} }),
      log_rate_limit_bytes_s: Type.Integer({ default: -1 }),
      /** Tags for the app's log lines: names and guids of app, space, organization. */
      tags: Type.Record(Type.String(), Type.String(), { default: {} }),
      user: Type.Optional(Type.String()),
      /** DEAs that gave this start back. */
      refused_by: Type.Optional(Type.Array(Type.String())),
    }),
  ),
});

/** `dea.stop`: every filter that is present must match. */
export const DeaStop = Type.Object({
  droplet: Type.String(),
  version: Type.Optional(Type.String()),
  instances: Type.Optional(Type.Array(Type.String())),
  instance_ids: Type.Optional(Type.Array(Type.String())),
  indices: Type.Optional(Type.Array(Type.Integer())),
  states: Type.Optional(Type.Array(Type.String())),
});

/** `dea.update`: new uris for a running process, without a restart. */
export const DeaUpdate = Type.Object({
  droplet: Type.String(),
  uris: Type.Array(Type.String()),
  version: Type.Optional(Type.String()),
  route_protocols: Type.Optional(Type.Record(Type.String(), Type.String())),
  egress_network_rules: Type.Optional(Type.Array(EgressRule)),
});

/** `dea.find.droplet`: each matching instance answers for itself. */
export const DeaFindDroplet = Type.Object({
  ...DeaStop.properties,
  include_stats: Type.Optional(Type.Boolean()),
  path: Type.Optional(Type.Union([Type.String(), Type.Null()])),
});

/** Usage and quotas of one instance: bytes, cpu as a fraction of one core, uptime in seconds. */
export const InstanceStats = Type.Object({
  name: Type.String(),
  uris: Type.Array(Type.String()),
  host: Type.String(),
  port: Type.Integer({ description: 'host port; 0 when the instance has none' }),
  uptime: Type.Integer(),
  mem_quota: Type.Integer(),
  disk_quota: Type.Integer(),
  fds_quota: Type.Integer(),
  usage: Type.Object({
    time: Type.String(),
    cpu: Type.Number(),
    /** `cpu` as a share of what the instance may use when all others want theirs. Ours. */
    cpu_entitlement: Type.Optional(Type.Number()),
    mem: Type.Integer(),
    disk: Type.Integer(),
  }),
  instance_ip: Type.Optional(Type.String()),
});

/** Reply to `dea.find.droplet`. */
export const DeaFoundInstance = Type.Object({
  dea: Type.String(),
  droplet: Type.String(),
  version: Type.String(),
  instance: Type.String({ description: '32 hex' }),
  index: Type.Integer(),
  state: Type.String({ description: 'STARTING, RUNNING, STOPPING, CRASHED, EVACUATING' }),
  state_timestamp: Type.Number({ description: 'epoch s' }),
  host_ip: Type.Optional(Type.String()),
  exit_description: Type.Optional(Type.String()),
  stats: Type.Optional(InstanceStats),
});

/** One entry of a heartbeat. */
export const HeartbeatEntry = Type.Object({
  droplet: Type.String(),
  version: Type.String(),
  instance: Type.String(),
  index: Type.Integer(),
  state: Type.String(),
  state_timestamp: Type.Number({ description: 'epoch s' }),
  cc_partition: Type.String({ default: 'default' }),
});

/** `dea.heartbeat`: always the DEA's complete set, also when it is empty. */
export const DeaHeartbeat = Type.Object({
  dea: Type.String(),
  droplets: Type.Array(HeartbeatEntry),
  /** Epoch ms when this DEA process started; a change means it restarted. Ours. */
  started_at_ms: Type.Optional(Type.Integer()),
  /** The interval at which this DEA sends heartbeats. Ours. */
  interval_ms: Type.Optional(Type.Integer()),
});

/** `droplet.exited`. */
export const DropletExited = Type.Object({
  droplet: Type.String(),
  version: Type.String(),
  instance: Type.String(),
  index: Type.Integer(),
  cc_partition: Type.String({ default: 'default' }),
  reason: Type.String({ description: 'CRASHED, STOPPED, DEA_SHUTDOWN, DEA_EVACUATION' }),
  exit_status: Type.Optional(Type.Integer({ description: '-1 when unknown' })),
  exit_description: Type.Optional(Type.String()),
  crash_timestamp: Type.Optional(Type.Integer({ description: 'epoch s' })),
  dea: Type.Optional(Type.String()),
});

/** `stackato.dea.refused`: a DEA gives a start back that it can't do and another may. Ours. */
export const DeaRefused = Type.Object({
  dea: Type.String(),
  droplet: Type.String({ description: 'process guid' }),
  version: Type.String(),
  index: Type.Integer({ minimum: 0 }),
  instance: Type.Optional(Type.String({ description: 'when heartbeats may have named it' })),
  because: Type.String({ description: 'for people' }),
  refused_by: Type.Array(Type.String(), { default: [], description: 'DEAs that gave it back before' }),
});
