import type { Command } from 'commander';
import { type Terminal, terminal } from '../terminal.ts';

/** What every command gets besides its own arguments. */
export type CommandContext = { readonly signal: AbortSignal; readonly outcome: { code: number } };

/** The terminal for a command, from its own and the program's options. */
export function terminalOf(command: Command): Terminal {
  const { json, yaml } = command.optsWithGlobals<{ json?: boolean; yaml?: boolean }>();
  return terminal(json ? 'json' : yaml ? 'yaml' : 'text');
}

/** Text for a command's help: examples come first. */
export function describe(what: string, ...examples: readonly string[]): string {
  return `${what}\n\nExamples:\n${examples.map((example) => `  ${example}`).join('\n')}`;
}
