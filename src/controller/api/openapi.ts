import type { FastifySchema } from 'fastify';
import Type from 'typebox';
import { queryNames } from './query.ts';
import type { Route } from './route.ts';

const ErrorBody = Type.Object({
  errors: Type.Array(Type.Object({ code: Type.Integer(), title: Type.String(), detail: Type.String() })),
});

/** A route as the OpenAPI document describes it. */
export function operationSchema(route: Route): FastifySchema {
  const names = queryNames(route.query ?? {});
  const params = [...route.path.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
  const strings = (keys: readonly string[], isRequired: boolean) =>
    Type.Object(
      Object.fromEntries(keys.map((key) => [key, isRequired ? Type.String() : Type.Optional(Type.String())])),
    );
  const isHidden = route.permission.kind === 'signed' || route.permission.kind === 'bulk';
  return {
    summary: route.summary,
    description: `Permission: ${JSON.stringify(route.permission)}`,
    tags: [route.path.split('/')[2] || 'root'],
    ...(isHidden ? { hide: true } : {}),
    ...(route.permission.kind === 'public' ? {} : { security: [{ bearer: [] }] }),
    ...(names.length > 0 ? { querystring: strings(names, false) } : {}),
    ...(params.length > 0 ? { params: strings(params, true) } : {}),
    ...(route.body ? { body: route.body } : {}),
    response: { ...route.responses, '4xx': ErrorBody },
  };
}
