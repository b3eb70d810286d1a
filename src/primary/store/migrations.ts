import { sql } from 'kysely';
import type { Migration } from '../../platform/db.ts';

export const migrations: readonly Migration[] = [
  {
    name: '0001-config-and-nodes',
    up: async (tx) => {
      await sql`create table cluster_config (
        id integer primary key check (id = 1),
        revision integer not null,
        config jsonb not null,
        updated_at timestamptz not null default now()
      )`.execute(tx);
      await sql`create table nodes (
        id text primary key,
        address text not null,
        version text not null,
        roles jsonb not null,
        first_seen_at timestamptz not null,
        last_seen_at timestamptz not null
      )`.execute(tx);
    },
  },
  {
    name: '0002-cluster',
    up: async (tx) => {
      await sql`create table members (
        id text primary key,
        index integer not null unique,
        address text not null,
        name text not null,
        roles jsonb not null,
        zones jsonb not null default '[]',
        availability_zone text not null default 'default',
        generation integer not null default 1,
        is_core boolean not null default false,
        joined_at timestamptz not null,
        removed_at timestamptz
      )`.execute(tx);
      await sql`create unique index members_core on members (is_core) where is_core`.execute(tx);
      await sql`create unique index members_address on members (address) where removed_at is null`.execute(tx);
      await sql`create table topology (id integer primary key check (id = 1), revision integer not null)`.execute(tx);
      await sql`insert into topology (id, revision) values (1, 1)`.execute(tx);
      await sql`create table join_tokens (
        hash text primary key,
        expires_at timestamptz not null,
        uses_left integer not null,
        used_by jsonb not null default '[]',
        created_at timestamptz not null
      )`.execute(tx);
    },
  },
  {
    name: '0003-secret-settings',
    up: async (tx) => {
      await sql`create table secrets (
        name text primary key,
        sealed text not null,
        updated_at timestamptz not null
      )`.execute(tx);
    },
  },
];
