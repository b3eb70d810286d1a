import type { Static } from 'typebox';
import Type from 'typebox';
import { CredentialsFile } from './node.ts';
import { Topology } from './topology.ts';

/** What a machine says to join a cluster: `POST /v1/join` on the Core's join port. */
export const JoinRequest = Type.Object({
  token: Type.String({ description: 'secret part of a join token' }),
  id: Type.String({
    pattern: '^[0-9a-f]{32}$',
    description: 'node id, made by the machine; repeating a join keeps it',
  }),
  address: Type.String({ format: 'ipv4' }),
  name: Type.String({ maxLength: 255, default: '' }),
  version: Type.String(),
  isVersionForced: Type.Optional(Type.Boolean()),
  roles: Type.Array(Type.String()),
  csr: Type.String({ maxLength: 10_000, description: 'certificate request, PEM' }),
  clockMs: Type.Integer({ description: 'its clock, epoch ms' }),
});
export type JoinRequest = Static<typeof JoinRequest>;

/** What a node of a cluster needs on its own disk. Secret. */
export const NodeMaterial = Type.Object({
  index: Type.Integer(),
  roles: Type.Array(Type.String()),
  certificate: Type.String({ description: 'PEM; empty when none was asked for' }),
  ca: Type.String({ description: 'PEM' }),
  routerCertificate: Type.Optional(Type.String({ description: "the routers' certificate with its key, PEM" })),
  credentials: Type.Record(Type.String(), CredentialsFile, { description: 'by process; paths are left empty' }),
  config: Type.Unknown({ description: 'the cluster configuration' }),
  topology: Topology,
});
export type NodeMaterial = Static<typeof NodeMaterial>;

/** A change that a node asks for itself: `POST /v1/node`; absent members stay. Answered by `NodeMaterial`. */
export const NodeChange = Type.Object({
  roles: Type.Optional(Type.Array(Type.String())),
  address: Type.Optional(Type.String({ format: 'ipv4' })),
  name: Type.Optional(Type.String({ maxLength: 255 })),
  zones: Type.Optional(Type.Array(Type.String())),
  availabilityZone: Type.Optional(Type.String()),
  csr: Type.Optional(Type.String({ maxLength: 10_000 })),
});
export type NodeChange = Static<typeof NodeChange>;

/** Every refusal of the registry: what and why, and what to do. */
export const RegistryRefusal = Type.Object({ error: Type.String(), next: Type.Optional(Type.String()) });
export type RegistryRefusal = Static<typeof RegistryRefusal>;
