import type { Controller } from './controller.ts';

/** The largest file of a multipart body, as it is set now, for whoever reads one. */
export function uploadLimit({ config }: Controller): { readonly limits: { readonly fileSize: number } } {
  return { limits: { fileSize: config.controller.maxUploadMb * 1024 * 1024 } };
}
