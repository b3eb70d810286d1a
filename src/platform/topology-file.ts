import { stat } from 'node:fs/promises';
import Type from 'typebox';
import { decode } from '../contract/decode.ts';
import type { Clock } from './clock.ts';
import { isMissing, readJsonIfExists } from './files.ts';
import type { Log } from './log.ts';

const LOOK_EVERY_MS = 500;

const Nodes = Type.Object({
  nodes: Type.Array(Type.Object({ id: Type.String(), address: Type.String(), roles: Type.Array(Type.String()) })),
});

export type RoleNode = { readonly id: string; readonly address: string };

/** The nodes of the cluster with one role, as this node's `topology.json` has them. */
export class TopologyFile {
  readonly #path: string;
  readonly #role: string;
  readonly #log: Log;
  readonly #listeners = new Set<() => void>();
  readonly #timer: Disposable;
  #nodes: readonly RoleNode[] = [];
  #stamp = '';

  private constructor(path: string, role: string, { log, clock }: { readonly log: Log; readonly clock: Clock }) {
    this.#path = path;
    this.#role = role;
    this.#log = log;
    this.#timer = clock.every(LOOK_EVERY_MS, () => this.look());
  }

  /** Reads the file and watches it; a file that is missing has no nodes. */
  static async open(
    path: string,
    role: string,
    tools: { readonly log: Log; readonly clock: Clock },
  ): Promise<TopologyFile> {
    const file = new TopologyFile(path, role, tools);
    await file.look();
    return file;
  }

  nodes(): readonly RoleNode[] {
    return this.#nodes;
  }

  /** Calls the listener after each change of the nodes with this role. */
  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Reads the file when it changed; one that can't be read leaves what was known. */
  async look(): Promise<void> {
    const stamp = await stampOf(this.#path);
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    try {
      const value = await readJsonIfExists(this.#path);
      const { nodes } = value === undefined ? { nodes: [] } : decode(Nodes, value, this.#path);
      const mine = nodes.filter(({ roles }) => roles.includes(this.#role)).map(({ id, address }) => ({ id, address }));
      if (JSON.stringify(mine) === JSON.stringify(this.#nodes)) return;
      this.#nodes = mine;
    } catch (error) {
      this.#log.error('failed-to-read-topology', { error });
      return;
    }
    for (const listener of this.#listeners) listener();
  }

  [Symbol.dispose](): void {
    this.#timer[Symbol.dispose]();
  }
}

async function stampOf(path: string): Promise<string> {
  try {
    const { mtimeMs, size, ino } = await stat(path);
    return `${mtimeMs} ${size} ${ino}`;
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}
