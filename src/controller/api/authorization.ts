import { PlatformError } from '../../contract/errors.ts';
import { type Action, decidePermission } from '../../core/permissions.ts';
import { findStanding } from '../store/role-standing.ts';
import type { Scope, ScopeName } from '../store/scope.ts';
import type { Caller } from './caller.ts';
import type { Controller } from './controller.ts';

export type AuthorizationQuestion = {
  readonly of: ScopeName;
  readonly guid: string;
  readonly may: Action;
  /** 422 with this text instead of 404 when the thing does not exist or is invisible. */
  readonly invalid?: string;
};

/**
 * Decides whether the caller may do something to a thing, for what a route's permission can't say.
 *
 * @returns where the thing belongs
 * @throws PlatformError 404 `<Thing> not found` (422 with `invalid`) when unseen, 403 when seen but not allowed
 */
export async function authorize(
  controller: Controller,
  caller: Caller,
  question: AuthorizationQuestion,
): Promise<Scope> {
  const finder = controller.scopes[question.of];
  if (!finder) throw new Error(`no scope is registered for '${question.of}'`);
  const unseen = () =>
    question.invalid === undefined
      ? new PlatformError('ResourceNotFound', `${finder.label} not found`)
      : new PlatformError('UnprocessableEntity', question.invalid);
  const scope = await finder.find(controller.db, question.guid);
  if (!scope) throw unseen();
  if (caller.isAdmin) return scope;
  const standing = await findStanding(controller.db, caller, scope);
  const verdict = decidePermission(question.may, standing);
  if (verdict === 'invisible') throw unseen();
  if (verdict === 'forbidden') throw new PlatformError('NotAuthorized');
  if (verdict === 'suspended') throw new PlatformError('OrgSuspended');
  return scope;
}
