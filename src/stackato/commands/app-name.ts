import { resolve } from 'node:path';
import { readManifestFile } from '../actions/manifest-file.ts';
import { ClientError } from '../client-error.ts';
import type { Context } from '../context.ts';

/** The app a command is about: as named, else the only one of the folder's manifest. */
export async function appNameOf(context: Context, given: string | undefined): Promise<string> {
  if (given !== undefined) return given;
  const { settings, folder } = context;
  const here = resolve(folder, settings.path ?? '.');
  const options = { variables: {}, inherited: context.variable };
  const manifest = await readManifestFile(here, settings.manifest, options);
  const names = manifest?.apps.flatMap(({ name }) => (name === undefined ? [] : [name])) ?? [];
  if (names.length === 1 && names[0] !== undefined) return names[0];
  throw new ClientError(names.length === 0 ? 'Which app?' : `Which app? The manifest has ${names.join(', ')}`, {
    next: 'Name it: stackato COMMAND NAME; see what there is: stackato apps',
    exitCode: 2,
  });
}
