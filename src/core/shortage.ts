import { formatMb } from '../contract/units.ts';

/** What of its limits an instance has used up since some moment; counts since then. */
export type Shortage = {
  readonly memoryKills: number;
  readonly refusedForks: number;
  readonly isDiskFull: boolean;
};

/** The limits that can be met; MB, and processes and threads together. */
export type ShortageLimits = { readonly memoryMb: number; readonly diskMb: number; readonly pids: number };

const FULL = 0.98;
const MB = 1_048_576;

/** Is so much of a disk written that the next block need not fit? */
export function isFull(diskBytes: number, diskMb: number): boolean {
  return diskBytes >= FULL * diskMb * MB;
}

/** What may explain a crash, in words that follow it: `its disk of 64M is full`. Memory is a cause of its own. */
export function explainCrash({ refusedForks, isDiskFull }: Shortage, limits: ShortageLimits): string[] {
  return [
    ...(isDiskFull ? [`its disk of ${formatMb(limits.diskMb)} is full`] : []),
    ...(refusedForks > 0 ? [`it may have no more than ${limits.pids} processes and threads`] : []),
  ];
}

/** What the owner of a running instance is told, a line each. */
export function tellShortage({ memoryKills, refusedForks, isDiskFull }: Shortage, limits: ShortageLimits): string[] {
  const killed = memoryKills === 1 ? 'a process of it was' : `${memoryKills} processes of it were`;
  return [
    ...(memoryKills > 0 ? [`Out of memory: ${killed} killed as it used its ${formatMb(limits.memoryMb)}`] : []),
    ...(refusedForks > 0
      ? [`Out of processes: it may have ${limits.pids} processes and threads, more were refused ${refusedForks} times`]
      : []),
    ...(isDiskFull ? [`Its disk of ${formatMb(limits.diskMb)} is full`] : []),
  ];
}
