/** A parsed document that still knows its lines, so that errors can name them. Lines count from 1. */
export type Tree =
  | { readonly kind: 'map'; readonly line: number; readonly entries: readonly TreeEntry[] }
  | { readonly kind: 'list'; readonly line: number; readonly items: readonly Tree[] }
  | {
      readonly kind: 'scalar';
      readonly line: number;
      readonly value: string | number | boolean | null;
      /** As written, without quotes: `1.10` and `0777` keep their look. */
      readonly text: string;
    };
export type TreeEntry = { readonly key: string; readonly line: number; readonly value: Tree };

/** Something wrong in a document: where, and what to do about it. */
export type Fault = { readonly line: number; readonly key: string; readonly message: string };

/** The plain value of a tree; what the server gets where the client has no opinion. */
export function plainOf(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'list') return tree.items.map(plainOf);
  return Object.fromEntries(tree.entries.map(({ key, value }) => [key, plainOf(value)]));
}

/** What a tree is, for people. */
export function describe(tree: Tree): string {
  if (tree.kind === 'list') return 'a list';
  if (tree.kind === 'map') return 'a group of keys';
  return tree.value === null ? 'nothing' : `'${tree.text}'`;
}
