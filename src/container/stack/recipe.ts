import { readFile } from 'node:fs/promises';
import type { Static } from 'typebox';
import Type from 'typebox';
import { parse } from 'yaml';
import { decode } from '../../contract/decode.ts';

const Names = Type.Array(Type.String(), { default: [] });

/** What a stack is built of. */
export const StackRecipe = Type.Object({
  name: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]*$' }),
  suite: Type.String({ description: 'release of Debian' }),
  components: Type.Array(Type.String(), { default: ['main'] }),
  packages: Type.Array(Type.String(), { minItems: 1 }),
  npmPackages: Type.Record(Type.String(), Type.String(), { default: {}, description: 'package → exact version' }),
  locales: Names,
  user: Type.Object({ name: Type.String(), id: Type.Integer({ minimum: 1 }), home: Type.String() }),
  exclude: Names,
  remove: Names,
});

export type StackRecipe = Static<typeof StackRecipe>;

/**
 * Reads a recipe.
 *
 * @throws DecodeError naming the file and the first wrong place
 */
export async function readRecipe(path: string): Promise<StackRecipe> {
  return decode(StackRecipe, parse(await readFile(path, 'utf8')), path);
}
