import type { Static } from 'typebox';
import Type from 'typebox';
import { NodeFile } from './node.ts';

/** One blob of an archive, at `blobs/<key>`. */
export const ArchivedBlob = Type.Object({ key: Type.String(), bytes: Type.Integer(), sha256: Type.String() });
export type ArchivedBlob = Static<typeof ArchivedBlob>;

/** `manifest.json`, the first file of an archive of the platform's data. */
export const ArchiveManifest = Type.Object({
  format: Type.Literal(1),
  kind: Type.Union([Type.Literal('platform'), Type.Literal('database')], {
    description: 'everything, or all but the blobs, as the nightly backups do',
  }),
  version: Type.String({ description: 'of the platform that made it' }),
  madeAtMs: Type.Integer(),
  domain: Type.String(),
  core: Type.String({ description: 'id of the Core node' }),
  databaseBytes: Type.Integer(),
  blobs: Type.Array(ArchivedBlob),
  missing: Type.Array(Type.String(), { description: 'blobs that the database speaks of and that were not there' }),
  left: Type.Array(Type.String(), { description: 'parts that were left out' }),
});
export type ArchiveManifest = Static<typeof ArchiveManifest>;

/** `identity.json`, the second: what makes a machine the Core of this very cluster. Secret. */
export const ArchiveIdentity = Type.Object({
  node: NodeFile,
  settings: Type.Unknown({ description: 'the cluster configuration as stored' }),
  /** As in `setup/secrets.json`. */
  secrets: Type.Object({
    database: Type.Record(Type.String(), Type.String()),
    clients: Type.Record(Type.String(), Type.String()),
    encryptionKey: Type.String(),
    signingKey: Type.String(),
    nodeKey: Type.String(),
    supervisor: Type.String(),
    backupPassphrase: Type.String(),
  }),
  s3: Type.Optional(Type.Object({ accessKeyId: Type.String(), secretAccessKey: Type.String() })),
  /** Certificates, keys and lists by their path below the state folder. */
  files: Type.Record(Type.String(), Type.String()),
});
export type ArchiveIdentity = Static<typeof ArchiveIdentity>;

/** `setup/backup.json`: how the last backup of the control database went. */
export const BackupStatus = Type.Object({
  triedAtMs: Type.Integer(),
  /** Why the last one failed; without, it is good. */
  why: Type.Optional(Type.String()),
  /** The last good one. */
  good: Type.Optional(Type.Object({ atMs: Type.Integer(), file: Type.String(), bytes: Type.Integer() })),
});
export type BackupStatus = Static<typeof BackupStatus>;
