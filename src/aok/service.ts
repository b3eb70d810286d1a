import type { ClusterConfig } from '../contract/config.ts';
import type { Clock } from '../platform/clock.ts';
import type { Db } from '../platform/db.ts';
import type { Log } from '../platform/log.ts';
import type { Random } from '../platform/random.ts';
import { secretBox } from '../platform/secret-box.ts';
import { Authenticator } from './authenticator.ts';
import { Grants } from './grants.ts';
import { KeyRing } from './key-ring.ts';
import { knownClients } from './known-clients.ts';
import { Passwords } from './passwords.ts';
import { Bearers } from './requests.ts';
import { upsertClient } from './store/clients.ts';
import type { AokSchema } from './store/schema.ts';
import { prune } from './store/sessions.ts';
import { Tokens } from './tokens.ts';

export type AokOptions = {
  readonly db: Db<AokSchema>;
  readonly config: Pick<ClusterConfig, 'aok' | 'cluster'>;
  /** Key of the sealed signing keys; 32 bytes, base64. */
  readonly encryptionKey: string;
  /** Key of signed internal paths; 32 bytes, base64. */
  readonly signingKey: string;
  readonly clientSecrets: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
};

/** The parts of the login server, wired together. */
export type Aok = AokOptions & {
  readonly passwords: Passwords;
  readonly keys: KeyRing;
  readonly tokens: Tokens;
  readonly grants: Grants;
  readonly bearers: Bearers;
  /** Makes the first signing key and the platform's own clients; safe to repeat. */
  readonly prepare: () => Promise<void>;
  /** Forgets what has expired. */
  readonly prune: () => Promise<void>;
};

export function buildAok(options: AokOptions): Aok {
  const { db, clock, random, log } = options;
  const { domain } = options.config.cluster;
  const config = options.config.aok;
  const passwords = new Passwords();
  const keys = new KeyRing({
    db,
    clock,
    box: secretBox(options.encryptionKey),
    keptMs: () => config.accessTokenS * 1000,
  });
  const issuer = `https://uaa.${domain}/oauth/token`;
  const tokens = new Tokens({ keys, clock, random, lifeS: () => config.accessTokenS, issuer });
  const policy = () => ({ failures: config.lockoutFailures, lockoutMs: config.lockoutS * 1000 });
  const authenticator = new Authenticator({ db, passwords, policy, clock, log });
  const refreshLifeMs = () => config.refreshTokenS * 1000;
  return {
    ...options,
    passwords,
    keys,
    tokens,
    grants: new Grants({ db, authenticator, tokens, clock, random, refreshLifeMs }),
    bearers: new Bearers(tokens, db),
    prepare: async () => {
      await keys.prepare();
      for (const client of knownClients(options.clientSecrets)) await upsertClient(db, client);
    },
    prune: () => prune(db, clock.nowMs(), policy().lockoutMs),
  };
}
