import { type Orphan, type Program, StartFailed, type SupervisedProcess, type Supervisor } from './supervisor.ts';

type Entry = { program: Program; state: SupervisedProcess['state']; pid: number };

/** A supervisor in memory; a command whose first word is `false` ends at once. */
export class FakeSupervisor implements Supervisor {
  readonly #entries = new Map<string, Entry>();
  /** What was asked for, in order: `start controller`, `USR2 dea`. */
  readonly trail: string[] = [];
  #isRunning = false;
  #configured: readonly Program[] = [];
  #nextPid = 1000;

  async isRunning(): Promise<boolean> {
    return this.#isRunning;
  }

  async ensureRunning(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (const program of this.#configured) this.#entries.set(program.name, { program, state: 'STOPPED', pid: 0 });
  }

  async configure(programs: readonly Program[]): Promise<void> {
    this.#configured = programs;
    if (!this.#isRunning) return;
    for (const name of this.#entries.keys()) {
      if (!programs.some((program) => program.name === name)) this.#entries.delete(name);
    }
    for (const program of programs) {
      const entry = this.#entries.get(program.name);
      if (entry === undefined) this.#entries.set(program.name, { program, state: 'STOPPED', pid: 0 });
      else if (JSON.stringify(entry.program) !== JSON.stringify(program)) {
        entry.program = program;
        if (entry.state !== 'RUNNING') continue;
        if (program.isOutlivedByCharges) this.trail.push(`KILL ${program.name}`);
        entry.pid = this.#nextPid++;
      }
    }
  }

  async list(): Promise<SupervisedProcess[]> {
    this.#mustRun();
    return [...this.#entries].map(([name, { state, pid }]) => ({
      name,
      state,
      pid,
      startedAtS: pid === 0 ? 0 : 1_700_000_000,
      description: state === 'RUNNING' ? `pid ${pid}` : '',
      logFile: `/log/${name}.log`,
    }));
  }

  async start(name: string): Promise<void> {
    const entry = this.#get(name);
    if (entry.state === 'RUNNING') return;
    this.trail.push(`start ${name}`);
    if (entry.program.command[0] === 'false') {
      entry.state = 'BACKOFF';
      throw new StartFailed(`${name} ended at once; its last lines:\n`);
    }
    entry.state = 'RUNNING';
    entry.pid = this.#nextPid++;
  }

  async stop(name: string): Promise<void> {
    this.#mustRun();
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    if (entry.state !== 'STOPPED') this.trail.push(`stop ${name}`);
    entry.state = 'STOPPED';
    entry.pid = 0;
  }

  async signal(name: string, signal: 'USR1' | 'USR2' | 'HUP' | 'KILL'): Promise<void> {
    const entry = this.#get(name);
    if (entry.state !== 'RUNNING') return;
    this.trail.push(`${signal} ${name}`);
    entry.pid = this.#nextPid++;
  }

  /** What dies in memory leaves nothing behind. */
  async listOrphans(): Promise<Orphan[]> {
    return [];
  }

  async stopOrphans(): Promise<void> {}

  async shutdown(): Promise<void> {
    this.#isRunning = false;
    this.#entries.clear();
  }

  #get(name: string): Entry {
    this.#mustRun();
    const entry = this.#entries.get(name);
    if (entry === undefined) throw new Error(`no program called ${name}`);
    return entry;
  }

  #mustRun(): void {
    if (!this.#isRunning) throw new Error('the supervisor does not run');
  }
}
