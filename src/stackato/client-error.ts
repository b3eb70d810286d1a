/** A failure that is shown to the user: what happened, and what to do next. */
export class ClientError extends Error {
  override name = 'ClientError';
  /** The next command to run, or what to change. */
  readonly next: string | undefined;
  /** Lines that show the cause, such as the end of a log. */
  readonly details: readonly string[];
  readonly exitCode: number;
  constructor(
    message: string,
    options: ErrorOptions & { next?: string | undefined; details?: readonly string[]; exitCode?: number } = {},
  ) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined);
    this.next = options.next;
    this.details = options.details ?? [];
    this.exitCode = options.exitCode ?? 1;
  }
}

/** An error document of the API. */
export class ApiError extends ClientError {
  override name = 'ApiError';
  readonly status: number;
  readonly code: number;
  readonly title: string;
  readonly requestId: string | undefined;
  constructor(answer: {
    status: number;
    code: number;
    title: string;
    detail: string;
    requestId: string | undefined;
    next?: string | undefined;
  }) {
    super(answer.detail, {
      next: answer.next,
      details: answer.status >= 500 && answer.requestId ? [`request id: ${answer.requestId}`] : [],
    });
    this.status = answer.status;
    this.code = answer.code;
    this.title = answer.title;
    this.requestId = answer.requestId;
  }
}

/** The command was interrupted; says what goes on without it. */
export class Interrupted extends ClientError {
  override name = 'Interrupted';
  constructor(whatGoesOn: string, next?: string) {
    super(`Interrupted. ${whatGoesOn}`, { next, exitCode: 130 });
  }
}

export function isApiError(error: unknown, match: { status?: number; code?: number }): error is ApiError {
  return (
    error instanceof ApiError &&
    (match.status === undefined || error.status === match.status) &&
    (match.code === undefined || error.code === match.code)
  );
}
