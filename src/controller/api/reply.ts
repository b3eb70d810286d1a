/** What a handler answers. `body`: a JSON value, a Buffer, or a stream when `contentType` says what it is. */
export type Reply = {
  readonly status: number;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
};

export const ok = (body: unknown): Reply => ({ status: 200, body });
export const created = (body: unknown): Reply => ({ status: 201, body });
export const noContent = (): Reply => ({ status: 204 });

/** 202 with the `Location` of a job that the handler has committed; wakes the job worker. */
export function accepted(
  request: { readonly baseUrl: string; readonly controller: { readonly jobCommitted: () => void } },
  jobGuid: string,
  body?: unknown,
): Reply {
  request.controller.jobCommitted();
  return { status: 202, body, headers: { location: `${request.baseUrl}/v3/jobs/${jobGuid}` } };
}
