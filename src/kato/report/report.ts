import { chmod, mkdir, open, readdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { hideSecrets } from '../../core/redaction.ts';
import { ExecError, exec } from '../../platform/exec.ts';
import { isMissing, temporaryDirectory } from '../../platform/files.ts';
import type { Node } from '../node.ts';
import { nodeSecrets } from './node-secrets.ts';

/** As much of the end of each log as goes into a report. */
const LOG_BYTES = 4 * 1024 * 1024;
const COMMAND_TIMEOUT_MS = 20_000;

/** What the machine says of itself. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  'kernel.txt': ['uname', '-a'],
  'system.txt': ['cat', '/etc/os-release'],
  'uptime.txt': ['uptime'],
  'memory.txt': ['free', '-m'],
  'disks.txt': ['df', '-h'],
  'inodes.txt': ['df', '-i'],
  'mounts.txt': ['findmnt', '--list'],
  'addresses.txt': ['ip', 'address'],
  'routes.txt': ['ip', 'route'],
  'sockets.txt': ['ss', '-l', '-t', '-u', '-n', '-p'],
  'firewall.txt': ['nft', 'list', 'ruleset'],
  'processes.txt': ['ps', '-eo', 'pid,ppid,user,rss,pcpu,etime,stat,comm'],
  'packages.txt': ['dpkg-query', '--show'],
  'control-groups.txt': ['cat', '/proc/cgroups'],
  'resolver.txt': ['cat', '/etc/resolv.conf'],
  'time.txt': ['date', '--utc', '--iso-8601=seconds'],
};

/** Documents about the platform, by file name, made by the caller. */
export type ReportDocuments = Readonly<Record<string, unknown>>;

/**
 * Writes an archive for who is to help: logs, settings, states, and what the machine says of itself; without secrets.
 *
 * @param options `name`: of the folder in it; `path`: of the archive, which only root may read
 * @returns names of what is in it, and of what could not be had with the reason
 */
export async function writeReport(
  node: Node,
  options: { name: string; path: string; documents: ReportDocuments; signal: AbortSignal },
): Promise<{ files: string[]; missing: string[]; bytes: number }> {
  const { name, path, documents, signal } = options;
  const secrets = await nodeSecrets(node);
  await using folder = await temporaryDirectory('stackato-report');
  const files: string[] = [];
  const missing: string[] = [];
  const put = async (file: string, text: string) => {
    const target = join(folder.path, name, file);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, hideSecrets(text, secrets), { mode: 0o600 });
    files.push(file);
  };
  for (const [file, value] of Object.entries(documents)) await put(file, `${JSON.stringify(value, null, 2)}\n`);
  for (const [file, argv] of Object.entries(COMMANDS)) {
    try {
      const { stdout } = await exec(argv, { timeoutMs: COMMAND_TIMEOUT_MS, signal });
      await put(join('machine', file), stdout);
    } catch (error) {
      if (!(error instanceof ExecError) || signal.aborted) throw error;
      missing.push(`${argv[0]}: ${error.message}`);
    }
  }
  for (const file of configurationFiles(node)) {
    const text = await endOf(file);
    if (text !== undefined) await put(join('configuration', basename(dirname(file)), basename(file)), text);
  }
  for (const file of await logFiles(node.paths.log)) {
    await put(join('log', file), (await endOf(join(node.paths.log, file))) ?? '');
  }
  await mkdir(dirname(path), { recursive: true });
  await exec(['tar', '--create', '--gzip', '--file', path, '--directory', folder.path, name], { signal });
  await chmod(path, 0o600);
  return { files, missing, bytes: (await stat(path)).size };
}

function configurationFiles({ paths }: Node): string[] {
  return [
    paths.nodeFile,
    paths.clusterFile,
    paths.topologyFile,
    paths.firewallFile,
    join(paths.link, 'haproxy.cfg'),
    join(paths.nats, 'nats.conf'),
    join(paths.router, 'haproxy.cfg'),
    join(paths.balancer, 'nginx.conf'),
    join(paths.supervisor, 'supervisord.conf'),
    join(paths.postgresql, 'postgresql.conf'),
  ];
}

async function logFiles(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => /\.log(\.\d+)?$/.test(name)).sort();
}

/** The end of a text file from a whole line on; undefined when there is no such file. */
async function endOf(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    const length = Math.min(size, LOG_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    const text = buffer.toString('utf8', 0, bytesRead);
    return size > length ? `…\n${text.slice(text.indexOf('\n') + 1)}` : text;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
