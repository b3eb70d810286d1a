import { sql } from 'kysely';
import type { Migration } from '../../platform/db.ts';

/** The history of the schema, oldest first. */
export const migrations: readonly Migration[] = [
  {
    name: '0001-users-clients-tokens',
    up: async (tx) => {
      await sql`create table users (
        id text primary key,
        user_name text not null,
        name_key text not null,
        origin text not null default 'uaa',
        email text not null,
        given_name text not null default '',
        family_name text not null default '',
        password_hash text,
        active boolean not null default true,
        last_login_at timestamptz,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        unique (name_key, origin)
      )`.execute(tx);
      await sql`create table groups (id text primary key, display_name text not null unique)`.execute(tx);
      await sql`create table memberships (
        group_id text not null references groups on delete cascade,
        user_id text not null references users on delete cascade,
        primary key (user_id, group_id)
      )`.execute(tx);
      await sql`create index on memberships (group_id)`.execute(tx);
      await sql`create table login_failures (
        name_key text primary key,
        failures integer not null,
        last_failed_at timestamptz not null
      )`.execute(tx);
      await sql`create index on login_failures (last_failed_at)`.execute(tx);
      await sql`create table clients (
        client_id text primary key,
        secret_hash text not null,
        grant_types text[] not null,
        scopes text[] not null,
        authorities text[] not null,
        redirect_uris text[] not null,
        autoapprove boolean not null
      )`.execute(tx);
      await sql`create table signing_keys (
        kid text primary key,
        sealed_key text not null,
        public_jwk text not null,
        created_at timestamptz not null default now(),
        retired_at timestamptz
      )`.execute(tx);
      await sql`create table refresh_tokens (
        token_hash text primary key,
        session_id text not null,
        user_id text not null references users on delete cascade,
        client_id text not null references clients on delete cascade,
        scopes text[] not null,
        grant_type text not null,
        auth_time timestamptz not null,
        access_jti text not null,
        expires_at timestamptz not null,
        replaced_at timestamptz
      )`.execute(tx);
      for (const column of ['session_id', 'user_id', 'access_jti', 'expires_at']) {
        await sql`create index on refresh_tokens (${sql.id(column)})`.execute(tx);
      }
      await sql`create table codes (
        code_hash text primary key,
        client_id text not null references clients on delete cascade,
        user_id text not null references users on delete cascade,
        redirect_uri text not null,
        scopes text[] not null,
        expires_at timestamptz not null
      )`.execute(tx);
      await sql`create table revoked_tokens (jti text primary key, expires_at timestamptz not null)`.execute(tx);
    },
  },
  {
    name: '0002-revoked-users',
    up: async (tx) => {
      await sql`alter table users add column token_generation integer not null default 0`.execute(tx);
      await sql`create table revoked_users (
        user_id text primary key,
        generation integer not null,
        expires_at timestamptz not null
      )`.execute(tx);
    },
  },
  {
    name: '0003-setup-password',
    up: async (tx) => {
      await sql`create table setup_password (id integer primary key check (id = 1), hash text not null)`.execute(tx);
    },
  },
];
