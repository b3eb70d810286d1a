import { signPath } from '../platform/secret-box.ts';
import type { Controller } from './api/controller.ts';

/** A URL on any controller that needs no other credentials, for one method and a limited time. */
export function internalUrl(
  { config, serviceHost, signingKey, clock }: Pick<Controller, 'config' | 'serviceHost' | 'signingKey' | 'clock'>,
  request: { readonly method: 'GET' | 'PUT' | 'POST'; readonly path: string; readonly validS: number },
): string {
  const expiresAtS = Math.floor(clock.nowMs() / 1000) + request.validS;
  const signed = signPath(signingKey, { method: request.method, path: request.path, expiresAtS });
  return `http://${serviceHost}:${config.controller.port}${signed}`;
}
