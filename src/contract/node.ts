import type { Static } from 'typebox';
import Type from 'typebox';

/** Roles a node can take. `base` is on every node. */
export const roleNames = [
  'base',
  'primary',
  'controller',
  'router',
  'dea',
  'stager',
  'postgresql',
  'mysql',
  'redis',
  'mongodb',
  'rabbit',
  'memcached',
  'filesystem',
  'harbor',
  'mdns',
  'load_balancer',
] as const;
export type RoleName = (typeof roleNames)[number];

/** `node.json`: who this node is. Written by set-up, read by every process. */
export const NodeFile = Type.Object({
  id: Type.String({ description: '32 hex' }),
  index: Type.Integer({ minimum: 0 }),
  address: Type.String({ description: 'how other nodes and routers reach this one' }),
  coreAddress: Type.String({ description: 'address of the Core node' }),
  roles: Type.Array(Type.String()),
  zone: Type.String({ default: 'default', description: 'first of its placement zones' }),
  zones: Type.Optional(Type.Array(Type.String(), { description: 'its placement zones; none = default' })),
  availabilityZone: Type.String({ default: 'default' }),
  isMicro: Type.Optional(Type.Boolean({ description: 'this node is a whole cluster by itself' })),
  isDatabaseOutside: Type.Optional(
    Type.Boolean({ description: 'the control database is on a server of the operator; none runs here' }),
  ),
  hostsFile: Type.Optional(Type.String({ description: 'where host names are kept; default /etc/hosts' })),
  routers: Type.Optional(
    Type.Array(Type.String(), { description: 'addresses of the only routers that this load balancer uses' }),
  ),
});
export type NodeFile = Static<typeof NodeFile>;

/** `credentials/<process>.json`, mode 0600: what one process needs to speak to the others. */
export const CredentialsFile = Type.Object({
  bus: Type.Object({
    servers: Type.Array(Type.String(), { description: 'tls://host:port' }),
    user: Type.String(),
    password: Type.String(),
    caFile: Type.String(),
  }),
  /** PostgreSQL URL; only processes that own tables have one. */
  databaseUrl: Type.Optional(Type.String()),
  /** Key of secrets at rest in the database: 32 bytes, base64. */
  encryptionKey: Type.Optional(Type.String()),
  /** Key of the signed internal URLs, the bulk API's password: 32 bytes, base64. */
  signingKey: Type.Optional(Type.String()),
  /** Key that passwords of other nodes' processes are derived from: 32 bytes, base64. Only the Core has it. */
  nodeKey: Type.Optional(Type.String()),
  /** OAuth client secrets by client id. */
  clientSecrets: Type.Optional(Type.Record(Type.String(), Type.String())),
  /** Keys of the S3 server that holds the blobs, for the controller. */
  s3: Type.Optional(Type.Object({ accessKeyId: Type.String(), secretAccessKey: Type.String() })),
  /** supervisord's password, for the base role and kato. */
  supervisor: Type.Optional(Type.Object({ user: Type.String(), password: Type.String() })),
});
export type CredentialsFile = Static<typeof CredentialsFile>;
