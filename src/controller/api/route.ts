import type { FastifyRequest } from 'fastify';
import type { Static, TSchema } from 'typebox';
import type { Action } from '../../core/permissions.ts';
import type { Scope, ScopeName } from '../store/scope.ts';
import type { Caller } from './caller.ts';
import type { Controller } from './controller.ts';
import type { Query, QuerySpec } from './query.ts';
import type { Reply } from './reply.ts';

/** Who may call a route. */
export type Permission =
  /** Anyone, without a token. */
  | { readonly kind: 'public' }
  /** Holders of a signed internal URL. */
  | { readonly kind: 'signed' }
  /** Basic auth `bulk_api:<signing key>`. */
  | { readonly kind: 'bulk' }
  /** Any valid token; lists show only what the caller may see, other handlers decide by `authorize`. */
  | { readonly kind: 'authenticated' }
  | { readonly kind: 'admin' }
  /** Admins, read-only admins and global auditors. */
  | { readonly kind: 'global-read' }
  /** By the caller's roles where the thing named by a path parameter (`guid` by default) belongs; unseen → 404. */
  | { readonly kind: 'resource'; readonly of: ScopeName; readonly param?: string; readonly may: Action }
  /** The same for a thing named in the body, at a path such as `relationships.space`; unseen → 422 with `invalid`. */
  | {
      readonly kind: 'related';
      readonly of: ScopeName;
      readonly at: string;
      readonly may: Action;
      readonly invalid?: string;
    };

/** How the body arrives: parsed JSON, text (YAML), or a stream that the handler reads from `raw`. */
export type BodyKind = 'json' | 'text' | 'stream';

export type ApiRequest<P extends string = string, F extends string = string, B = unknown> = {
  readonly controller: Controller;
  readonly params: Readonly<Record<P, string>>;
  readonly query: Query<F>;
  readonly body: B;
  readonly caller: Caller;
  /** `https://api.<domain>`, without a slash at the end: what every link begins with. */
  readonly baseUrl: string;
  /** Where the thing belongs that a `resource` or `related` permission named; empty otherwise. */
  readonly scope: Scope;
  readonly requestId: string;
  /** Adds an `X-Cf-Warnings` text, shown by clients. */
  readonly warn: (text: string) => void;
  /** For streams and multipart bodies. */
  readonly raw: FastifyRequest;
};

type ParamsOf<P extends string> = P extends `${infer Head}/${infer Tail}`
  ? ParamsOf<Head> | ParamsOf<Tail>
  : P extends `:${infer Name}`
    ? Name
    : never;

type Declaration<P extends string, F extends string, B extends TSchema> = {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE';
  readonly path: P;
  readonly permission: Permission;
  /** One line for the API's document. */
  readonly summary: string;
  readonly query?: QuerySpec<F>;
  readonly body?: B;
  readonly bodyKind?: BodyKind;
  /** Largest JSON or text body, bytes; default 4 MB. */
  readonly bodyLimit?: number;
  /** Schema by status, for the API's document. */
  readonly responses?: Readonly<Record<number, TSchema>>;
  readonly handler: (request: ApiRequest<ParamsOf<P>, F, Static<B>>) => Promise<Reply>;
};

/** A route of the API, as data. */
export type Route = Omit<Declaration<string, string, TSchema>, 'handler'> & {
  readonly handler: (request: ApiRequest) => Promise<Reply>;
};

/** Declares a route; its handler's parameters, query names and body are typed by the declaration. */
export function route<const P extends string, const F extends string = never, B extends TSchema = TSchema>(
  declaration: Declaration<P, F, B>,
): Route {
  // The server hands over only what the declaration's own schemas have checked.
  return declaration as unknown as Route;
}
