import type { ColumnType, Generated } from 'kysely';

/** A JSON column: read as a value, written as JSON text. */
export type Json<T> = ColumnType<T, string | undefined, string>;
/** A time the database sets when nothing else is said. */
export type Time = ColumnType<Date, Date | undefined, Date>;

/** What every table of API resources has. `id` orders rows made within one instant. */
export type Resource = {
  id: Generated<number>;
  guid: string;
  created_at: Time;
  updated_at: Time;
};

/** Labels and annotations. */
export type Labelled = {
  labels: Json<Record<string, string>>;
  annotations: Json<Record<string, string>>;
};
