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
];
