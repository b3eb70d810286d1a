import type { Static } from 'typebox';
import Type from 'typebox';

/** What one supervised process is doing. */
export const ProcessStatus = Type.Object({
  name: Type.String(),
  state: Type.String({
    description: 'STOPPED, STARTING, RUNNING, BACKOFF, STOPPING, EXITED, FATAL; WAITING: runs, the bus is away',
  }),
  pid: Type.Integer({ description: '0 when not running' }),
  uptime_s: Type.Integer(),
  ready: Type.Boolean({ description: 'answers its readiness check' }),
  description: Type.String(),
});

/** `stackato.node.status`: sent by each node's base role, and as the answer to `stackato.node.find`. Ours. */
export const NodeStatus = Type.Object({
  node: Type.String({ description: 'node id' }),
  address: Type.String(),
  version: Type.String(),
  roles: Type.Array(Type.String()),
  processes: Type.Array(ProcessStatus),
});

/** `stackato.config.changed`: read the cluster configuration again. Ours. */
export const ConfigChanged = Type.Object({ revision: Type.Integer() });

/** Reply to `stackato.config.get`. Ours. */
export const ConfigSnapshot = Type.Object({
  revision: Type.Integer(),
  config: Type.Unknown(),
  secrets: Type.Optional(Type.Array(Type.String(), { description: 'names of the secret settings that are set' })),
});

/**
 * `stackato.config.set`: change one setting; only `kato` may. Without a value the default is restored; `push` and `pop`
 * are for lists. Ours.
 */
export const ConfigSet = Type.Object({
  path: Type.String({ description: 'section.key, as in docs/operations/configuration.md' }),
  action: Type.Optional(Type.Union([Type.Literal('set'), Type.Literal('push'), Type.Literal('pop')])),
  value: Type.Optional(Type.Unknown()),
});

/** Reply to `stackato.config.set`: the new revision, or why the value was refused. Ours. */
export const ConfigSetReply = Type.Object({
  revision: Type.Integer({ default: 0 }),
  refused: Type.Optional(Type.String()),
});

/** `stackato.secret.get`: the value of a secret setting; only who uses it may ask. Ours. */
export const SecretGet = Type.Object({ name: Type.String() });

/** Reply to `stackato.secret.get`: its value; none when it is not set. Ours. */
export const SecretValue = Type.Object({ value: Type.Optional(Type.String()) });

/** `stackato.certificates.set`: install a certificate for a domain, or without one take it away; only the Core's kato may. Secret. Ours. */
export const CertificateSet = Type.Object({
  domain: Type.String(),
  pem: Type.Optional(Type.String({ description: 'certificate, chain and private key' })),
});

/** Reply to `stackato.certificates.set`: whether there was one for the domain, or why it was refused. Ours. */
export const CertificateSetReply = Type.Object({
  was: Type.Boolean({ default: false }),
  refused: Type.Optional(Type.String()),
});

/** Reply to `stackato.certificates.list`: what is installed, without private keys. Ours. */
export const CertificateList = Type.Object({
  certificates: Type.Array(Type.Object({ domain: Type.String(), certificate: Type.String({ description: 'PEM' }) })),
});

/** `stackato.certificates.changed`: ask for them again. Ours. */
export const CertificatesChanged = Type.Object({ revision: Type.Integer() });

/** Reply to `stackato.node.<id>.certificates`: all that the node is to serve; none when it has no router and no load balancer. Secret. Ours. */
export const NodeCertificates = Type.Object({
  revision: Type.Integer(),
  certificates: Type.Array(Type.Object({ domain: Type.String(), pem: Type.String() })),
});
export type NodeCertificates = Static<typeof NodeCertificates>;

/** `stackato.topology.changed`: nodes came, went or changed; read `stackato.topology.get` again. Ours. */
export const TopologyChanged = Type.Object({ revision: Type.Integer() });

/** `stackato.node.<id>.run`: run a kato command on that node; only the Core's kato may ask. Ours. */
export const NodeRun = Type.Object({
  command: Type.String({ pattern: '^[0-9a-f]{32}$', description: 'id of this run, made by who asks' }),
  args: Type.Array(Type.String(), { description: "kato's arguments" }),
});

/** Reply to `stackato.node.<id>.run`: it was started, or why not. Ours. */
export const NodeRunAccepted = Type.Object({ refused: Type.Optional(Type.String()) });

/** `stackato.command.<id>`: what a command on another node says; the last one has its exit code. Ours. */
export const NodeOutput = Type.Object({
  node: Type.String(),
  stdout: Type.Optional(Type.String()),
  stderr: Type.Optional(Type.String()),
  code: Type.Optional(Type.Integer()),
});
