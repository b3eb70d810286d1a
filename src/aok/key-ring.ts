import { createHash, createPublicKey } from 'node:crypto';
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose';
import type { Clock } from '../platform/clock.ts';
import type { Db } from '../platform/db.ts';
import type { SecretBox } from '../platform/secret-box.ts';
import type { AokSchema } from './store/schema.ts';
import { addKey, listKeys } from './store/signing-keys.ts';

/** A public key as PEM. */
export function pemOf(key: JWK): string {
  return createPublicKey({ key, format: 'jwk' }).export({ type: 'spki', format: 'pem' }).toString();
}

export type SigningKey = { readonly kid: string; readonly key: CryptoKey };

/** How long the keys read from the database are used before they are read again. */
const FRESH_MS = 30_000;

/** The keys that sign tokens, shared by all login servers through the database, where they are sealed. */
export class KeyRing {
  readonly #db: Db<AokSchema>;
  readonly #box: SecretBox;
  readonly #clock: Clock;
  readonly #keptMs: () => number;
  #read: { atMs: number; signing: SigningKey; publicKeys: readonly JWK[] } | undefined;

  /** `keptMs`: how long a retired key still verifies; the life of an access token. */
  constructor(options: { db: Db<AokSchema>; box: SecretBox; clock: Clock; keptMs: () => number }) {
    this.#db = options.db;
    this.#box = options.box;
    this.#clock = options.clock;
    this.#keptMs = options.keptMs;
  }

  /** Makes the first key unless there is one. */
  async prepare(): Promise<void> {
    const keys = await listKeys(this.#db, new Date(this.#clock.nowMs()));
    if (!keys.some((key) => !key.isRetired)) await this.#generate(true);
    await this.#load();
  }

  /** Signs with a new key from now on; tokens of the old one stay valid until they expire. */
  async rotate(): Promise<void> {
    await this.#generate(false);
    await this.#load();
  }

  async signing(): Promise<SigningKey> {
    return (await this.#current()).signing;
  }

  /** Public keys, the signing one first. */
  async publicKeys(): Promise<readonly JWK[]> {
    return (await this.#current()).publicKeys;
  }

  async #current() {
    if (this.#read && this.#clock.nowMs() - this.#read.atMs < FRESH_MS) return this.#read;
    return this.#load();
  }

  async #load() {
    const atMs = this.#clock.nowMs();
    const keys = await listKeys(this.#db, new Date(atMs - this.#keptMs()));
    const active = keys.find((key) => !key.isRetired);
    if (!active) throw new Error('there is no signing key');
    let signing = this.#read?.signing;
    if (signing?.kid !== active.kid) {
      const key = await importJWK(JSON.parse(this.#box.open(active.sealedKey)), 'RS256');
      if (key instanceof Uint8Array) throw new Error('the signing key is not an RSA key');
      signing = { kid: active.kid, key };
    }
    const ordered = [active, ...keys.filter((key) => key !== active)];
    this.#read = { atMs, signing, publicKeys: ordered.map((key) => JSON.parse(key.publicJwk) as JWK) };
    return this.#read;
  }

  async #generate(onlyFirst: boolean): Promise<void> {
    const pair = await generateKeyPair('RS256', { modulusLength: 2048, extractable: true });
    const { kty = 'RSA', n = '', e = '' } = await exportJWK(pair.publicKey);
    const kid = createHash('sha256').update(`${n}.${e}`).digest('hex').slice(0, 20);
    const privateJwk = JSON.stringify(await exportJWK(pair.privateKey));
    await addKey(
      this.#db,
      {
        kid,
        sealedKey: this.#box.seal(privateJwk),
        publicJwk: JSON.stringify({ kty, n, e, kid, alg: 'RS256', use: 'sig' }),
      },
      { onlyFirst },
    );
  }
}
