import type { BlobStore } from '../../blobstore/blobstore.ts';
import type { Bus } from '../../bus/bus.ts';
import type { ClusterConfig } from '../../contract/config.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Db, Tx } from '../../platform/db.ts';
import type { Log } from '../../platform/log.ts';
import type { Random } from '../../platform/random.ts';
import type { SecretBox } from '../../platform/secret-box.ts';
import type { TokenVerifier } from '../../platform/token-verifier.ts';
import type { ControllerSchema } from '../store/schema.ts';
import type { ScopeFinders } from '../store/scope.ts';
import type { ControllerEvents } from './controller-events.ts';
import type { UserDirectory } from './user-directory.ts';

export type ControllerDb = Db<ControllerSchema>;
export type ControllerTx = Tx<ControllerSchema>;

/** What every handler works with. */
export type Controller = {
  readonly db: ControllerDb;
  readonly bus: Bus;
  readonly blobs: BlobStore;
  readonly config: ClusterConfig;
  /** Host at which every node of the cluster reaches the controllers. */
  readonly serviceHost: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Encrypts what must not be readable in the database. */
  readonly box: SecretBox;
  /** Key of signed internal URLs, base64; also the bulk API's password. */
  readonly signingKey: string;
  readonly verifyToken: TokenVerifier;
  readonly events: ControllerEvents;
  /** Who the login server knows. */
  readonly users: UserDirectory;
  /** Where a guid in a path belongs; what permissions are decided by. */
  readonly scopes: ScopeFinders;
  /** Tells the job worker of this process that a job was committed. */
  readonly jobCommitted: () => void;
};
