import { formatMb } from '../contract/units.ts';

/** A crash as its report tells it; `status` is the exit status, undefined or negative when there was none. */
export type CrashReport = { readonly status: number | undefined; readonly description: string };

/**
 * What ended an instance: `memory`, `disk` or `processes` a limit, `health` the platform after a failed health check,
 * `exit` the program itself or a signal, `placement` that it found no room, `command` that there is nothing to start, `other` anything else, such as a container that failed.
 */
export type CrashKind = 'memory' | 'disk' | 'processes' | 'health' | 'exit' | 'placement' | 'command' | 'other';

/** A crash with its cause; `status` only where the program's own end says something. */
export type CrashCause = { readonly kind: CrashKind; readonly said: string; readonly status: number | undefined };

/** The limits and the health check that advice names; sizes in MB. */
export type StartedProcess = {
  readonly app: string;
  readonly memoryMb: number;
  readonly diskMb: number;
  readonly check: 'port' | 'http' | 'process';
  readonly endpoint: string;
};

const KINDS: readonly (readonly [RegExp, CrashKind])[] = [
  [/\bout of memory\b/i, 'memory'],
  [/; its disk of \S+ is full\b/, 'disk'],
  [/; it may have no more than \d+ processes\b/, 'processes'],
  [/^(?:health check: |failed to accept connections on port )/, 'health'],
  [/^(?:insufficient resources|no DEA )/i, 'placement'],
  [/^missing start command\b/, 'command'],
];
const SIGNALS: ReadonlyMap<number, string> = new Map([
  [132, 'an illegal instruction (SIGILL)'],
  [134, 'an abort (SIGABRT)'],
  [135, 'a bus error (SIGBUS)'],
  [136, 'an arithmetic error (SIGFPE)'],
  [139, 'a segmentation fault (SIGSEGV)'],
]);

/** Tells the cause of a crash by its own report, never by what the log says around it. */
export function causeOfCrash({ status, description }: CrashReport): CrashCause {
  const said = bare(description);
  const kind = KINDS.find(([pattern]) => pattern.test(said))?.[1];
  if (kind) return { kind, said: said.replace(/ \(exit status \d+\)$/, ''), status: undefined };
  const told = status !== undefined && status >= 0 ? status : Number(/^Exited with status (\d+)/.exec(said)?.[1] ?? -1);
  return told >= 0 ? { kind: 'exit', said, status: told } : { kind: 'other', said, status: undefined };
}

/** A crash in one line; the exit status is told once, and not where the platform ended the instance. */
export function describeCrash(report: CrashReport, unnamed = 'the instance crashed'): string {
  const { said, status } = causeOfCrash(report);
  const text = said === '' ? unnamed : said;
  return status === undefined || /\bstatus \d+/.test(text) ? text : `${text} (exit status ${status})`;
}

/** The description without the name of the process, which some reports begin with. */
function bare(description: string): string {
  return description
    .replace(/^(?:APP\/PROC\/[^\s:]+: )+/, '')
    .replace(/^(Exited with status (\d+)) \(exit status \2\)$/, '$1');
}

/**
 * What to try when an app did not start.
 *
 * @param cause undefined when no instance crashed and yet none became healthy
 * @param words the app's own last lines, asked only what the exit status alone can't tell
 */
export function adviseStart(process: StartedProcess, cause: CrashCause | undefined, words: readonly string[]): string {
  switch (cause?.kind) {
    case undefined:
    case 'health':
      return adviseHealth(process);
    case 'memory':
      return moreMemory(process);
    case 'disk':
      return moreDisk(process);
    case 'processes':
      return `It starts more processes or threads than it may; look for a loop that starts them, and wait for those that end`;
    case 'placement':
      return 'There is no room for it; free some with `stackato scale`, or ask an administrator';
    case 'command':
      return `Nothing says how to start it: stackato push ${process.app} --command "…", or a Procfile; only files: --framework static`;
    case 'exit':
      return adviseExit(process, cause.status ?? 1, words.join('\n'));
    case 'other':
      return seeLogs(process);
  }
}

function adviseHealth(process: StartedProcess): string {
  if (process.check === 'http') {
    return `The health check asks ${process.endpoint} and wants an answer of status 200; the app must listen on 0.0.0.0, port $PORT`;
  }
  if (process.check === 'process') return seeLogs(process);
  return 'The app must listen on 0.0.0.0 and on the port in the variable PORT; an app without a port: --health-check-type process';
}

function adviseExit(process: StartedProcess, status: number, words: string): string {
  if (status === 0) {
    return 'The start command ended by itself; it must stay in the foreground. Change it: stackato push --command "…"';
  }
  if (status === 127) {
    return 'A program that the start command names was not found; check the Procfile or give another: stackato push --command "…"';
  }
  if (/\bExec format error\b|\bENOEXEC\b/i.test(words)) {
    return 'The start command names a program that was built for another processor or system; build it for the platform (Linux), or push its source';
  }
  if (status === 126) {
    return 'The start command names a file that may not be executed; make it executable (chmod +x) and push again';
  }
  if (/JavaScript heap out of memory|\bOutOfMemoryError\b/.test(words)) return moreMemory(process);
  if (/No space left on device|Disk quota exceeded|\bENOSPC\b|\bEDQUOT\b/i.test(words)) {
    return moreDisk(process);
  }
  if (/\bEMFILE\b|\bToo many open files\b/i.test(words)) {
    return 'It has more files and connections open than it may (ulimit -n); close those that are needed no more';
  }
  const signal = SIGNALS.get(status);
  if (signal !== undefined)
    return `The program was ended by ${signal}, a fault in it or its libraries. ${seeLogs(process)}`;
  return seeLogs(process);
}

function moreMemory({ app, memoryMb }: StartedProcess): string {
  return `It has ${formatMb(memoryMb)}; give it more: stackato scale ${app} -m ${formatMb(memoryMb * 2)}`;
}

function moreDisk({ app, diskMb }: StartedProcess): string {
  return `Its disk of ${formatMb(diskMb)} is full; write less, or give it more: stackato scale ${app} -d ${formatMb(diskMb * 2)}`;
}

function seeLogs({ app }: StartedProcess): string {
  return `See all it said: stackato logs ${app}; then mend it and push again`;
}
