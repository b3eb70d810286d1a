import type { GlobalPower } from '../../core/permissions.ts';
import type { TokenClaims } from '../../platform/token-verifier.ts';

/** Who a request comes from. */
export type Caller = {
  readonly userGuid: string;
  readonly userName: string | undefined;
  readonly email: string | undefined;
  readonly origin: string;
  readonly scopes: readonly string[];
  readonly powers: readonly GlobalPower[];
  readonly isAdmin: boolean;
  /** As audit events name the caller. */
  readonly actor: { readonly guid: string; readonly type: 'user' | 'client' | 'system'; readonly name: string };
};

const POWER_SCOPES: Readonly<Record<GlobalPower, string>> = {
  admin: 'cloud_controller.admin',
  admin_read_only: 'cloud_controller.admin_read_only',
  global_auditor: 'cloud_controller.global_auditor',
};

/** The caller behind a valid token. */
export function callerOf(claims: TokenClaims): Caller {
  const powers = (Object.keys(POWER_SCOPES) as GlobalPower[]).filter((p) => claims.scopes.includes(POWER_SCOPES[p]));
  const isUser = claims.userName !== undefined;
  return {
    userGuid: claims.userGuid,
    userName: claims.userName,
    email: claims.email,
    origin: claims.origin,
    scopes: claims.scopes,
    powers,
    isAdmin: powers.includes('admin'),
    actor: {
      guid: claims.userGuid,
      type: isUser ? 'user' : 'client',
      name: claims.userName ?? (claims.clientId || claims.userGuid),
    },
  };
}

/** Does the token allow reading, or writing, at all? */
export function hasScopeFor(caller: Caller, method: string): boolean {
  if (caller.isAdmin) return true;
  if (method === 'GET' || method === 'HEAD') {
    return caller.powers.length > 0 || caller.scopes.includes('cloud_controller.read');
  }
  return caller.scopes.includes('cloud_controller.write');
}
