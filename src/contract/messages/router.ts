import Type from 'typebox';

/** `router.start`, and the reply to `router.greet`: how often registrants must repeat themselves, in seconds. */
export const RouterStart = Type.Object({
  id: Type.String(),
  hosts: Type.Array(Type.String(), { default: [] }),
  minimumRegisterIntervalInSeconds: Type.Integer({ default: 20 }),
  pruneThresholdInSeconds: Type.Integer({ default: 120 }),
});

/**
 * `router.register` and `router.unregister`. Strictly typed by the routers of the field: ports are numbers,
 * everything else a string (also the index), tags are strings only.
 */
export const RouterRegister = Type.Object({
  host: Type.String(),
  port: Type.Integer({ minimum: 0, maximum: 65535 }),
  tls_port: Type.Optional(Type.Integer()),
  protocol: Type.Optional(Type.String({ description: 'http1 (default) or http2' })),
  uris: Type.Array(Type.String(), { description: 'host, host/path or *.domain' }),
  app: Type.Optional(Type.String()),
  tags: Type.Optional(Type.Record(Type.String(), Type.String())),
  private_instance_id: Type.Optional(
    Type.String({ description: 'the instance id; what stickiness and unregister name' }),
  ),
  private_instance_index: Type.Optional(Type.String()),
  stale_threshold_in_seconds: Type.Optional(Type.Integer()),
  server_cert_domain_san: Type.Optional(Type.String()),
  availability_zone: Type.Optional(Type.String()),
  endpoint_updated_at_ns: Type.Optional(Type.Integer()),
  options: Type.Optional(
    Type.Object({
      loadbalancing: Type.Optional(Type.String()),
      hash_header: Type.Optional(Type.String()),
      hash_balance: Type.Optional(Type.Number()),
    }),
  ),
});
