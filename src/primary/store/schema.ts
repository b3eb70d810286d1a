import type { ColumnType } from 'kysely';

/** Tables of the primary. */
export type PrimarySchema = {
  cluster_config: {
    /** Always 1: there is one row. */
    id: number;
    revision: number;
    config: ColumnType<unknown, string, string>;
    updated_at: ColumnType<Date, never, Date>;
  };
  nodes: {
    id: string;
    address: string;
    version: string;
    roles: ColumnType<string[], string, string>;
    first_seen_at: ColumnType<Date, Date, never>;
    last_seen_at: Date;
  };
  members: {
    id: string;
    index: number;
    address: string;
    name: string;
    roles: ColumnType<string[], string, string>;
    zones: ColumnType<string[], string, string>;
    availability_zone: string;
    generation: number;
    is_core: boolean;
    joined_at: ColumnType<Date, Date, never>;
    removed_at: Date | null;
  };
  secrets: { name: string; sealed: string; updated_at: Date };
  topology: { id: number; revision: number };
  join_tokens: {
    /** SHA-256 of the secret, hex. */
    hash: string;
    expires_at: Date;
    uses_left: number;
    used_by: ColumnType<string[], string, string>;
    created_at: ColumnType<Date, Date, never>;
  };
};

export const schemaName = 'primary';
