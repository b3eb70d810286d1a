import { readdir, readFile, rm, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { withdrawFence } from '../container/fence/withdraw.ts';
import { writeHostsBlock } from '../core/hosts-file.ts';
import { environment } from '../platform/config.ts';
import { isMissing, readTextIfExists, writeFileAtomic } from '../platform/files.ts';
import { removeFirewall } from '../platform/firewall.ts';
import { replaceHostsFile } from '../platform/hosts-file.ts';
import { type Paths, pathsOf } from '../platform/paths.ts';
import { RegistryClient } from './cluster/registry-client.ts';
import { closeCode } from './code.ts';
import { stopNode } from './lifecycle.ts';
import { findNode, type Node, requireRoot } from './node.ts';
import { Refusal } from './refusal.ts';
import { isResetPending, resetMark } from './reset-mark.ts';
import { removeBootService } from './setup/boot-service.ts';
import { hasMark, leaveMark } from './setup/marks.ts';
import type { Terminal } from './terminal.ts';

const LEFT = 'left-cluster';

/** What a wipe did. */
export type Wiped = { readonly state: string; readonly left: readonly string[] };

/**
 * Makes this machine as it was before set-up, packages and the cache of stacks apart. The node leaves its cluster first. From the first
 * file that goes, the same command finishes it, and nothing else may run here.
 *
 * @throws Refusal before anything is removed: other nodes need this one, the cluster does not let it go, or something can't be stopped
 */
export async function resetFactory(
  { isForced }: { isForced: boolean },
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<Wiped> {
  requireRoot();
  const paths = pathsOf(environment.state);
  if (!(await isResetPending(paths))) {
    const node = await findNode();
    if (node !== undefined) await leave(node, { terminal, signal, isForced });
    else if ((await readdirIfThere(paths.setup)) === undefined) {
      throw new Refusal(`this machine is not set up: there is no node in ${paths.state}`, 'there is nothing to wipe');
    }
    await writeHostsFile(node?.file.hostsFile ?? environment.stackato('HOSTS_FILE') ?? '/etc/hosts');
    await writeFileAtomic(resetMark(paths), 'everything in this folder is being removed\n', 0o600);
  }
  terminal.say(`removing ${paths.state}`);
  await withdrawFence(paths.fence, ['dea', 'stager']);
  await removeFirewall(paths);
  await closeCode(paths);
  await removeBootService();
  await refuseMounts(paths);
  await wipe(paths);
  return { state: paths.state, left: ['Debian packages', 'the account stackato', 'the cache of stacks'] };
}

type LeaveOptions = { terminal: Terminal; signal: AbortSignal; isForced: boolean };

async function leave(node: Node, { terminal, signal, isForced }: LeaveOptions): Promise<void> {
  const { file } = node;
  const isAttached = !file.isMicro && !file.roles.includes('primary');
  if (isAttached) await leaveCluster(node, { terminal, isForced });
  else if (!file.isMicro && !isForced) await refuseWithNodes(node);
  await stopNode(node, { say: terminal.say, signal });
}

/** A cluster that let this node go does not know it any more. */
async function leaveCluster(
  { file, paths }: Node,
  { terminal, isForced }: Pick<LeaveOptions, 'terminal' | 'isForced'>,
): Promise<void> {
  if (await hasMark(paths, LEFT)) return;
  try {
    await new RegistryClient({ file, paths }).leave();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const next = `--force leaves without it; then on the Core: kato node remove ${file.address}`;
    if (!isForced) throw new Refusal(`${error.message}; nothing was removed`, next, { cause: error });
    terminal.say(`the Core does not know yet: ${error.message}`);
  }
  await leaveMark(paths, LEFT);
}

async function refuseWithNodes(node: Node): Promise<void> {
  const { nodes } = await new RegistryClient(node).topology();
  const others = nodes.filter(({ id }) => id !== node.file.id);
  if (others.length === 0) return;
  throw new Refusal(
    `this is the Core of ${others.map(({ address }) => address).join(', ')}: without it those nodes are nothing`,
    'detach them first (kato node detach there, or kato node remove here); --force leaves them behind',
  );
}

async function writeHostsFile(path: string): Promise<void> {
  const text = await readTextIfExists(path);
  if (text === undefined) return;
  const wanted = writeHostsBlock(text, []);
  if (wanted !== text) await replaceHostsFile(path, wanted);
}

/** What is mounted would be emptied, not removed: an operator's disk, or containers that could not be ended. */
async function refuseMounts({ state }: Paths): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  const below = mounts.filter((path) => path.startsWith(`${state}/`));
  if (below.length === 0) return;
  throw new Refusal(`something is mounted at ${below.join(', ')}`, 'unmount it, then run the same command again');
}

/** The mark goes last. The folder itself may be a disk of its own. */
async function wipe(paths: Paths): Promise<void> {
  for (const name of await readdir(paths.state)) {
    const path = join(paths.state, name);
    if (path !== resetMark(paths)) await rm(path, { recursive: true, force: true });
  }
  await rm(resetMark(paths), { force: true });
  try {
    await rmdir(paths.state);
  } catch (error) {
    if (!isMissing(error) && !(error instanceof Error && 'code' in error && error.code === 'EBUSY')) throw error;
  }
}

async function readdirIfThere(path: string): Promise<string[] | undefined> {
  try {
    return await readdir(path);
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
