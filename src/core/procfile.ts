/** Process type → command. */
export type Processes = Readonly<Record<string, string>>;

export type ProcfileOutcome = { readonly processes: Processes } | { readonly error: string };

const processLine = /^([A-Za-z0-9_-]+)\s*:\s*(.+)$/;

/**
 * Reads a Procfile: one `type: command` a line, blank lines and `#` comments allowed.
 *
 * @returns the processes in the order of the file, or an error that names the first wrong line
 */
export function parseProcfile(text: string): ProcfileOutcome {
  const processes: Record<string, string> = {};
  const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/);
  for (const [i, raw] of lines.entries()) {
    const line = raw.trim();
    if (line === '' || line === '---' || line.startsWith('#')) continue;
    const [, type, command] = processLine.exec(line) ?? [];
    if (type === undefined || command === undefined) {
      return { error: `Procfile line ${i + 1} is not of the form 'type: command': ${line.slice(0, 120)}` };
    }
    processes[type] = unquote(command.trim());
  }
  return { processes };
}

/** The processes of a droplet: what the Procfile says, over what the buildpack released. */
export function mergeProcesses(released: Processes, procfile: Processes): Processes {
  return { ...released, ...procfile };
}

/** YAML allows a whole value in quotes; shells see the value without them. */
function unquote(command: string): string {
  const quote = command[0];
  if ((quote !== "'" && quote !== '"') || command.length < 2 || !command.endsWith(quote)) return command;
  const inner = command.slice(1, -1);
  return inner.includes(quote) ? command : inner;
}
