/**
 * Every error that crosses a component's edge: Cloud Foundry code, title (without `CF-`), HTTP status and text.
 * `%s` takes the detail. Codes and titles are the original's (reference: its v2.yml table).
 */
export const errorTable = {
  InvalidAuthToken: { code: 1000, status: 401, text: 'Invalid Auth Token' },
  MessageParseError: { code: 1001, status: 400, text: 'Request invalid due to parse error: %s' },
  BadRequest: { code: 1004, status: 400, text: 'Bad request: %s' },
  NotFound: { code: 10000, status: 404, text: 'Unknown request' },
  ServerError: { code: 10001, status: 500, text: 'Server error' },
  NotAuthenticated: { code: 10002, status: 401, text: 'Authentication error' },
  NotAuthorized: { code: 10003, status: 403, text: 'You are not authorized to perform the requested action' },
  BadQueryParameter: { code: 10005, status: 400, text: 'The query parameter is invalid: %s' },
  UnprocessableEntity: { code: 10008, status: 422, text: '%s' },
  ResourceNotFound: { code: 10010, status: 404, text: '%s' },
  RateLimitExceeded: { code: 10013, status: 429, text: 'Rate Limit Exceeded' },
  ServiceUnavailable: { code: 10015, status: 503, text: '%s' },
  OrgSuspended: { code: 10017, status: 403, text: 'The organization is suspended' },
  AppPackageInvalid: { code: 150001, status: 400, text: 'The app package is invalid: %s' },
  InsufficientRunningResourcesAvailable: {
    code: 150003,
    status: 503,
    text: 'One or more instances could not be started because of insufficient running resources.',
  },
  UploadTooLarge: { code: 160001, status: 413, text: 'The app upload is invalid: %s' },
  StagingError: { code: 170001, status: 400, text: 'Staging error: %s' },
  NoAppDetectedError: {
    code: 170003,
    status: 400,
    text: 'An app was not successfully detected by any available buildpack',
  },
  BuildpackCompileFailed: { code: 170004, status: 400, text: 'App staging failed in the buildpack compile phase' },
  BuildpackReleaseFailed: { code: 170005, status: 400, text: 'App staging failed in the buildpack release phase' },
  StagingTimeExpired: { code: 170007, status: 504, text: 'Staging time expired: %s' },
  InsufficientResources: { code: 170008, status: 400, text: 'Insufficient resources: %s' },
  StagerUnavailable: { code: 170015, status: 503, text: 'No stager is available: %s' },
  StagingInProgress: {
    code: 170017,
    status: 422,
    text: 'Only one build can be STAGING at a time per application.',
  },
  BuildpackNameStackLifecycleTaken: { code: 290000, status: 422, text: '%s' },
  BuildpackInvalid: { code: 290003, status: 400, text: 'Buildpack is invalid: %s' },
  FeatureDisabled: { code: 330002, status: 403, text: 'Feature Disabled: %s' },
  ScaleDisabledDuringDeployment: {
    code: 390016,
    status: 422,
    text: 'Cannot scale this process while a deployment is in flight.',
  },
  StopDisabledDuringDeployment: {
    code: 390024,
    status: 422,
    text: 'Cannot stop the app while it is deploying, please cancel the deployment before stopping the app.',
  },
  BuildpackZipError: { code: 390013, status: 422, text: 'Buildpack zip error: %s' },
} as const satisfies Record<string, { code: number; status: number; text: string }>;

/** Name of an error in the table. */
export type ErrorName = keyof typeof errorTable;

/** The only error class that may cross a component's edge; everything else is a bug and becomes a 500. */
export class PlatformError extends Error {
  override name = 'PlatformError';
  readonly kind: ErrorName;
  constructor(kind: ErrorName, detail = '', options?: ErrorOptions) {
    super(
      errorTable[kind].text.replace('%s', () => detail),
      options,
    );
    this.kind = kind;
  }
}

/** The error document of the v3 API. */
export type ErrorDocument = { readonly errors: readonly { code: number; title: string; detail: string }[] };

/** The error document for one error, as the v3 API answers it. */
export function errorDocument(kind: ErrorName, detail: string): ErrorDocument {
  return { errors: [{ code: errorTable[kind].code, title: `CF-${kind}`, detail }] };
}
