import { basename } from 'node:path';
import type { Listener } from '../core/port-table.ts';
import { exec } from './exec.ts';
import { readTextIfExists } from './files.ts';

/** Every TCP and UDP socket of this network namespace that listens, with who holds it; pid 0 when the kernel does not tell. */
export async function listListeners(): Promise<Listener[]> {
  const { stdout } = await exec(['ss', '-H', '-l', '-t', '-u', '-n', '-p']);
  const all = stdout.split('\n').flatMap((line) => parseListener(line) ?? []);
  return Promise.all(all.map(async ({ name, ...one }) => ({ ...one, program: await programOf(one.pid, name) })));
}

/** One line of `ss -H -ltunp`, or undefined when it is none. */
export function parseListener(line: string): (Omit<Listener, 'program'> & { readonly name: string }) | undefined {
  const [protocol, , , , local = ''] = line.trim().split(/\s+/);
  if (protocol !== 'tcp' && protocol !== 'udp') return undefined;
  const [, name = '', pid = '0'] = /users:\(\("([^"]*)",pid=(\d+)/.exec(line) ?? [];
  const at = local.lastIndexOf(':');
  return { protocol, address: local.slice(0, at), port: Number(local.slice(at + 1)), pid: Number(pid), name };
}

/** By its command line: some programs call their main thread otherwise. */
async function programOf(pid: number, name: string): Promise<string> {
  if (pid === 0) return name;
  const [file = '', script = ''] = ((await readTextIfExists(`/proc/${pid}/cmdline`)) ?? '').split('\0');
  const program = basename(file.split(' ')[0] ?? '').replace(/:$/, '');
  if (program === 'python3' && script !== '') return basename(script);
  return program || name;
}
