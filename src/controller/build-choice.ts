import { PlatformError } from '../contract/errors.ts';
import type { ControllerDb } from './api/controller.ts';
import { isBuildpackKnown } from './store/build.ts';

const URL_FORM = /^(https?|git|ssh):\/\/[^\s]+$|^git@[^\s:]+:[^\s]+$/;

/** @throws PlatformError 422 naming the first one that is neither a buildpack of the platform nor a URL */
export async function checkBuildpacks(db: ControllerDb, names: readonly string[]): Promise<void> {
  for (const name of names) {
    if (URL_FORM.test(name) || (await isBuildpackKnown(db, name))) continue;
    throw new PlatformError(
      'UnprocessableEntity',
      `Buildpack "${name}" must be an existing admin buildpack or a valid git URI`,
    );
  }
}
