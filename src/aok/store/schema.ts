import type { Generated } from 'kysely';

/** Name of this component's PostgreSQL schema. */
export const schemaName = 'aok';

/** The login server's tables. */
export type AokSchema = {
  users: {
    id: string;
    /** As written by its owner; `name_key` is what must be unique within an origin. */
    user_name: string;
    name_key: string;
    origin: string;
    email: string;
    given_name: string;
    family_name: string;
    /** Null for users of another origin. */
    password_hash: string | null;
    active: Generated<boolean>;
    /** Tokens of an earlier one are revoked. */
    token_generation: Generated<number>;
    last_login_at: Date | null;
    created_at: Generated<Date>;
    updated_at: Generated<Date>;
  };
  groups: { id: string; display_name: string };
  memberships: { group_id: string; user_id: string };
  /** At most one row. */
  setup_password: { id: number; hash: string };
  login_failures: { name_key: string; failures: number; last_failed_at: Date };
  clients: {
    client_id: string;
    /** SHA-256, base64url. Secrets of clients are random, so a slow hash adds nothing. */
    secret_hash: string;
    grant_types: string[];
    scopes: string[];
    authorities: string[];
    redirect_uris: string[];
    autoapprove: boolean;
  };
  signing_keys: {
    kid: string;
    /** Private JWK, sealed. */
    sealed_key: string;
    public_jwk: string;
    created_at: Generated<Date>;
    /** Signs until then; verifies until tokens signed with it are all expired. */
    retired_at: Date | null;
  };
  refresh_tokens: {
    token_hash: string;
    /** All tokens that follow from one login. */
    session_id: string;
    user_id: string;
    client_id: string;
    scopes: string[];
    grant_type: string;
    auth_time: Date;
    access_jti: string;
    expires_at: Date;
    replaced_at: Date | null;
  };
  codes: {
    code_hash: string;
    client_id: string;
    user_id: string;
    redirect_uri: string;
    scopes: string[];
    expires_at: Date;
  };
  revoked_tokens: { jti: string; expires_at: Date };
  /** Tokens of earlier generations are refused. Users may be gone. */
  revoked_users: { user_id: string; generation: number; expires_at: Date };
};
