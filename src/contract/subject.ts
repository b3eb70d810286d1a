import type { Static, TSchema } from 'typebox';

/**
 * A bus subject: how its name is made from its parameters, what it carries, and what answers it.
 * `name('*')` gives the wildcard form for subscriptions.
 */
export type Subject<P extends readonly string[], T extends TSchema, R extends TSchema = TSchema> = {
  readonly name: (...params: P) => string;
  readonly payload: T;
  readonly reply: R;
};

/** The decoded payload of a subject. */
export type PayloadOf<S> = S extends Subject<infer _P, infer T, infer _R> ? Static<T> : never;

/** The decoded reply of a subject. */
export type ReplyOf<S> = S extends Subject<infer _P, infer _T, infer R> ? Static<R> : never;

/** Some subject, whatever it carries. */
export type AnySubject = Subject<readonly string[], TSchema>;
