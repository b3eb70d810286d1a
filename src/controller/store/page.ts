import { type Expression, type SelectQueryBuilder, type SqlBool, sql } from 'kysely';
import type { LabelRequirement } from '../api/label-selector.ts';
import type { Query } from '../api/query.ts';
import type { ControllerSchema } from './schema.ts';

/** One page of a list and how many there are in all. */
export type Page<Row> = { readonly rows: readonly Row[]; readonly total: number };

type Select<TB extends keyof ControllerSchema, O> = SelectQueryBuilder<ControllerSchema, TB, O>;

/**
 * Reads the page a query asks for: applies the filters that every list has, orders, and counts.
 *
 * @param table the table whose `guid`, `created_at`, `updated_at` and `labels` are meant
 * @param conditions more of them, all to hold; undefined ones are left out
 */
export async function fetchPage<TB extends keyof ControllerSchema, O>(
  select: Select<TB, O>,
  query: Query,
  options: { table: TB & string; conditions?: readonly (Expression<SqlBool> | undefined)[] },
): Promise<Page<O>> {
  let filtered = select;
  for (const condition of [...commonConditions(query, options.table), ...(options.conditions ?? [])]) {
    if (condition) filtered = filtered.where(condition);
  }
  const direction = sql.raw(query.order.isDescending ? 'desc' : 'asc');
  const rows = await filtered
    .orderBy(sql`${sql.ref(`${options.table}.${query.order.field}`)} ${direction}`)
    .orderBy(sql`${sql.ref(`${options.table}.id`)} ${direction}`)
    .limit(query.perPage)
    .offset((query.page - 1) * query.perPage)
    .execute();
  const isWhole = query.page === 1 && rows.length < query.perPage;
  return { rows, total: isWhole ? rows.length : await count(filtered) };
}

/** `column in (…)` for a filter's values; nothing when the filter was not sent. */
export function among(column: string, values: readonly string[] | undefined): Expression<SqlBool> | undefined {
  return values && sql<SqlBool>`${sql.ref(column)} = any(${values})`;
}

/** The same without regard to case. */
export function amongNames(column: string, values: readonly string[] | undefined): Expression<SqlBool> | undefined {
  return values && sql<SqlBool>`lower(${sql.ref(column)}) = any(${values.map((value) => value.toLowerCase())})`;
}

async function count<TB extends keyof ControllerSchema, O>(select: Select<TB, O>): Promise<number> {
  const row = await select.clearSelect().select(sql<number>`count(*)`.as('total')).executeTakeFirstOrThrow();
  return (row as { total: number }).total;
}

function commonConditions(query: Query, table: string): (Expression<SqlBool> | undefined)[] {
  return [
    among(`${table}.guid`, query.values('guids')),
    ...query.times.map(({ column, operator, at }) => {
      const whole = sql`date_trunc('second', ${sql.ref(`${table}.${column}`)})`;
      return sql<SqlBool>`${whole} ${sql.raw(operator)} ${at}`;
    }),
    ...query.labels.map((requirement) => labelCondition(sql.ref(`${table}.labels`), requirement)),
  ];
}

function labelCondition(labels: Expression<unknown>, requirement: LabelRequirement): Expression<SqlBool> {
  const { key } = requirement;
  switch (requirement.kind) {
    case 'exists':
      return sql<SqlBool>`${labels} ? ${key}`;
    case 'absent':
      return sql<SqlBool>`not ${labels} ? ${key}`;
    case 'in':
      return sql<SqlBool>`${labels} ->> ${key} = any(${[...requirement.values]})`;
    case 'not-in':
      return sql<SqlBool>`coalesce(${labels} ->> ${key} <> all(${[...requirement.values]}), true)`;
  }
}
