import Type, { type TSchema } from 'typebox';
import type { Page } from '../store/page.ts';
import type { Query } from './query.ts';
import { ok, type Reply } from './reply.ts';

const Href = Type.Object({ href: Type.String() });

/** The shape of a list of these. */
export function ListOf<T extends TSchema>(resource: T) {
  return Type.Object({
    pagination: Type.Object({
      total_results: Type.Integer(),
      total_pages: Type.Integer(),
      first: Href,
      last: Href,
      next: Type.Union([Href, Type.Null()]),
      previous: Type.Union([Href, Type.Null()]),
    }),
    resources: Type.Array(resource),
    included: Type.Optional(Type.Record(Type.String(), Type.Array(Type.Unknown()))),
  });
}

type Listed = { readonly query: Query; readonly baseUrl: string; readonly raw: { readonly url: string } };

/** Answers one page of a list. `included` is left out when nothing was asked for. */
export function listed<Row, T>(
  request: Listed,
  page: Page<Row>,
  show: { present: (row: Row) => T; included?: Readonly<Record<string, readonly unknown[]>> | undefined },
): Reply {
  return ok({
    pagination: pagination(request, page.total),
    resources: page.rows.map(show.present),
    ...(show.included ? { included: show.included } : {}),
  });
}

function pagination(request: Listed, total: number) {
  const { query, baseUrl, raw } = request;
  const pages = Math.max(1, Math.ceil(total / query.perPage));
  const path = raw.url.split('?')[0];
  const filters = query.pairs.filter(([name]) => name !== 'page' && name !== 'per_page');
  const at = (page: number) => {
    const pairs = [...filters, ['page', String(page)] as const, ['per_page', String(query.perPage)] as const];
    const search = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join('&');
    return { href: `${baseUrl}${path}?${search}` };
  };
  return {
    total_results: total,
    total_pages: pages,
    first: at(1),
    last: at(pages),
    next: query.page < pages ? at(query.page + 1) : null,
    previous: query.page > 1 ? at(Math.min(query.page - 1, pages)) : null,
  };
}
