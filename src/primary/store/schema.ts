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
};

export const schemaName = 'primary';
