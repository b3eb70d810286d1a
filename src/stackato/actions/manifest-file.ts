import { stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import {
  type Alias,
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
} from 'yaml';
import { type ManifestReading, readClientManifest } from '../../core/client-manifest.ts';
import type { Tree, TreeEntry } from '../../core/client-manifest-tree.ts';
import { readTextIfExists } from '../../platform/files.ts';
import { ClientError } from '../client-error.ts';

export type ManifestFile = ManifestReading & {
  readonly path: string;
  /** Folder that relative paths in the manifest start from. */
  readonly folder: string;
};

/** In the order they are looked for. */
const NAMES = ['stackato.yml', 'manifest.yml', 'manifest.yaml'];
const MOST_NODES = 50_000;
const DEEPEST = 100;

/**
 * Reads the manifest of a folder, or the one that was named (a file, or a folder with one).
 *
 * @returns undefined when the folder has none
 * @throws ClientError naming file, line and key of everything that is wrong
 */
export async function readManifestFile(
  folder: string,
  named: string | undefined,
  options: { variables: Readonly<Record<string, string>>; inherited: (name: string) => string | undefined },
): Promise<ManifestFile | undefined> {
  const path = await findManifest(folder, named);
  if (path === undefined) return undefined;
  const text = (await readTextIfExists(path)) ?? '';
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, merge: true, uniqueKeys: true });
  const [broken] = document.errors;
  if (broken) {
    const { line, col } = lines.linePos(broken.pos[0]);
    // The parser's own words end in the place, too.
    const what = broken.message.split('\n')[0]?.replace(/ at line \d+, column \d+:?$/, '');
    throw new ClientError(`${path}, line ${line}, column ${col}: ${what}`, {
      next: 'Mend the YAML: keys and values are separated by a colon and a space, groups by their indent',
    });
  }
  if (document.contents === null)
    throw new ClientError(`${path} is empty`, { next: 'Remove it, or describe the app in it' });
  const missing = new Set<string>();
  const tree = new TreeBuilder(document, { lines, variables: options.variables, missing }).build(document.contents);
  if (missing.size > 0) {
    const [first] = missing;
    throw new ClientError(`${path} uses ((${first})), which has no value`, { next: `Give it: --var ${first}=VALUE` });
  }
  const reading = readClientManifest(tree, options.inherited);
  if (reading.faults.length > 0) {
    const details = reading.faults.map(({ line, key, message }) => `${path}, line ${line}: '${key}' ${message}`);
    const what = details.length === 1 ? (details[0] ?? '') : `${path} has ${details.length} faults`;
    throw new ClientError(what, { details: details.length === 1 ? [] : details, next: 'Mend it and push again' });
  }
  return { ...reading, path, folder: dirname(path) };
}

async function findManifest(folder: string, named: string | undefined): Promise<string | undefined> {
  const candidates = named === undefined ? NAMES.map((name) => join(folder, name)) : [resolve(named)];
  for (const candidate of candidates) {
    const kind = await kindOf(candidate);
    if (kind === 'file') return candidate;
    if (kind === 'folder' && named !== undefined) {
      const inside = await findManifest(candidate, undefined);
      if (inside !== undefined) return inside;
    }
  }
  if (named === undefined) return undefined;
  throw new ClientError(`There is no manifest at ${resolve(named)}`, { next: 'Check --manifest' });
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  try {
    const stats = await stat(path);
    return stats.isDirectory() ? 'folder' : 'file';
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw new ClientError(`${basename(path)} can't be read: ${(error as Error).message}`, { cause: error });
  }
}

type BuildOptions = {
  readonly lines: LineCounter;
  readonly variables: Readonly<Record<string, string>>;
  readonly missing: Set<string>;
};

/** Turns YAML nodes into a tree with lines; follows aliases, merges `<<`, fills in `((variables))`. */
class TreeBuilder {
  readonly #document: Document;
  readonly #options: BuildOptions;
  #count = 0;
  #depth = 0;

  constructor(document: Document, options: BuildOptions) {
    this.#document = document;
    this.#options = options;
  }

  build(node: unknown): Tree {
    this.#depth += 1;
    try {
      return this.#build(node);
    } finally {
      this.#depth -= 1;
    }
  }

  #build(node: unknown): Tree {
    if (++this.#count > MOST_NODES || this.#depth > DEEPEST)
      throw new ClientError('The manifest is too large, or its aliases multiply');
    const line = this.#lineOf(node);
    if (isAlias(node)) return this.build(this.#resolved(node));
    if (isSeq(node)) return { kind: 'list', line, items: node.items.map((item) => this.build(item)) };
    if (isMap(node)) return { kind: 'map', line, entries: this.#entries(node) };
    if (isScalar(node))
      return this.#scalar(node.value, typeof node.source === 'string' ? node.source : String(node.value ?? ''), line);
    return { kind: 'scalar', line, value: null, text: '' };
  }

  #entries(map: { items: { key: unknown; value: unknown }[] }): TreeEntry[] {
    const own: TreeEntry[] = [];
    const merged: TreeEntry[] = [];
    for (const { key, value } of map.items) {
      const name = isScalar(key) ? (typeof key.value === 'symbol' ? '<<' : String(key.value)) : String(key);
      const tree = this.build(value);
      if (name === '<<') merged.push(...mergedEntries(tree));
      else own.push({ key: name, line: this.#lineOf(key), value: tree });
    }
    const taken = new Set(own.map(({ key }) => key));
    return [...merged.filter(({ key }) => !taken.has(key)), ...own];
  }

  #scalar(value: unknown, source: string, line: number): Tree {
    const { variables, missing } = this.#options;
    if (typeof value === 'string') {
      const text = value.replace(/\(\(([A-Za-z0-9_.-]+)\)\)/g, (_whole, name: string) => {
        if (!Object.hasOwn(variables, name)) missing.add(name);
        return variables[name] ?? '';
      });
      // A variable that is all of the value may be a number or a flag.
      const isWhole = /^\(\([A-Za-z0-9_.-]+\)\)$/.test(value);
      const plain = isWhole && /^(true|false)$/.test(text) ? text === 'true' : text;
      return { kind: 'scalar', line, value: plain, text };
    }
    const known =
      typeof value === 'number' || typeof value === 'boolean' ? value : value == null ? null : String(value);
    return { kind: 'scalar', line, value: known, text: source };
  }

  #resolved(alias: Alias): Node | undefined {
    return alias.resolve(this.#document);
  }

  #lineOf(node: unknown): number {
    const range = (node as { range?: [number, number, number] } | null)?.range;
    return range ? this.#options.lines.linePos(range[0]).line : 1;
  }
}

function mergedEntries(tree: Tree): TreeEntry[] {
  if (tree.kind === 'map') return [...tree.entries];
  return tree.kind === 'list' ? tree.items.flatMap(mergedEntries) : [];
}
