import { PlatformError } from '../contract/errors.ts';

/** @throws PlatformError 422 for features that exclude each other */
export function mergeFeatures(
  now: Readonly<Record<string, boolean>>,
  change: Readonly<Record<string, boolean>>,
): Record<string, boolean> {
  const merged = { ...now, ...change };
  if (merged['service-binding-k8s'] && merged['file-based-vcap-services']) {
    throw new PlatformError(
      'UnprocessableEntity',
      "'file-based-vcap-services' and 'service-binding-k8s' features cannot be enabled at the same time.",
    );
  }
  return merged;
}
