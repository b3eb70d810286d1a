/** One line of the table that `npm run bench` prints. `ok` is null where there is no target to meet. */
export type BenchRow = {
  what: string;
  value: string;
  target: string;
  peer?: string;
  ratio?: string;
  ok: boolean | null;
};
