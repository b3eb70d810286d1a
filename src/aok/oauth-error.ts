/** An answer of the OAuth or SCIM endpoints that is not a success: `{error, error_description}`. */
export class OAuthError extends Error {
  override name = 'OAuthError';
  readonly status: number;
  readonly error: string;
  constructor(status: number, error: string, description: string) {
    super(description);
    this.status = status;
    this.error = error;
  }
}

export const badCredentials = () => new OAuthError(401, 'unauthorized', 'Bad credentials');
export const badClient = () => new OAuthError(401, 'invalid_client', 'Bad client credentials');
export const noToken = () =>
  new OAuthError(401, 'unauthorized', 'Full authentication is required to access this resource');
export const badToken = () => new OAuthError(401, 'invalid_token', 'The token expired, was revoked, or is invalid.');
export const insufficientScope = (needed: string) =>
  new OAuthError(403, 'insufficient_scope', `Insufficient scope for this resource; needed: ${needed}`);
export const accountLocked = (ms: number) =>
  new OAuthError(
    401,
    'unauthorized',
    'Your account has been locked because of too many failed attempts to login. ' +
      `Try again in ${Math.ceil(ms / 60_000)} min, or ask an administrator for a new password.`,
  );
