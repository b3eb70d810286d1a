/** The crashes at one index of a process, as they are kept. Epoch ms. */
export type NotedCrash = {
  readonly droplet: string;
  readonly version: string;
  readonly index: number;
  readonly count: number;
  readonly lastAtMs: number;
  readonly instance: string;
};

/** What a successor of the health manager must know and can't hear. */
export type Notes = {
  /** DEAs that had instances when they were last heard, and were not lost since. */
  readonly deas: readonly string[];
  readonly crashes: readonly NotedCrash[];
};

/** Where the leader's notes are kept. */
export interface Notebook extends AsyncDisposable {
  /** The last notes; undefined when there never were any. Rejects when they can't be had now. */
  read(): Promise<Notes | undefined>;
  /** Replaces the notes, unless a later term's leader has come. */
  write(notes: Notes, term: number): Promise<void>;
}

/** A notebook that lasts as long as this process. */
export function forgetfulNotebook(): Notebook {
  let kept: Notes | undefined;
  return {
    read: async () => kept,
    write: async (notes) => {
      kept = notes;
    },
    [Symbol.asyncDispose]: async () => {},
  };
}
