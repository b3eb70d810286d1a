import Type, { type Static } from 'typebox';

/** `POST /internal/v1/domain_rename`, signed: the platform gets another domain. */
export const DomainRename = Type.Object({
  from: Type.String(),
  to: Type.String(),
  keeps: Type.Boolean({ description: 'routes of apps stay on the old domain' }),
});
export type DomainRename = Static<typeof DomainRename>;

/** Its answer. */
export const DomainRenamed = Type.Object({
  apps: Type.Integer({ description: 'apps with routes on the new domain' }),
  stayed: Type.Array(Type.String(), { description: 'addresses that stayed, because theirs on the new one was taken' }),
});
export type DomainRenamed = Static<typeof DomainRenamed>;
