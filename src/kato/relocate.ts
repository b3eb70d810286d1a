import { lstat, mkdir, readlink, rename, rm, stat, statfs, symlink } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { layoutOf } from '../container/fence/naming.ts';
import { withdrawFence } from '../container/fence/withdraw.ts';
import { listProcesses, type ProcessPlan } from '../core/role-plan.ts';
import { exchange } from '../platform/exchange.ts';
import { ExecError, exec } from '../platform/exec.ts';
import { isMissing } from '../platform/files.ts';
import { canExecute, getUser } from '../platform/system-user.ts';
import { type LifecycleOptions, startProcesses, stopProcesses } from './lifecycle.ts';
import type { Node } from './node.ts';
import { Refusal } from './refusal.ts';

const COPY_TIMEOUT_MS = 24 * 3_600_000;
const KEPT_FREE_BYTES = 1024 ** 3;

export type Relocatable = 'containers' | 'droplets' | 'services';
export const relocatables: readonly Relocatable[] = ['containers', 'droplets', 'services'];

/** What lies where, who uses it, and whose account must reach it. */
type Data = { readonly path: string; readonly users: readonly ProcessPlan[]; readonly account?: string };

/**
 * Moves data of this node to another disk; its place in the state folder leads there from then on. What uses it is stopped
 * meanwhile. Interrupted, the data is whole at one of the two places, and the same command goes on.
 *
 * @returns where the data is now
 */
export async function relocate(
  node: Node,
  what: Relocatable,
  folder: string,
  options: LifecycleOptions,
): Promise<string> {
  const data = dataOf(node, what);
  const target = join(resolve(folder), `stackato-${basename(data.path)}`);
  const wasRunning = await runningOf(node, data.users);
  if ((await linkAt(data.path)) !== target) {
    await refuseUnfit(node, data, resolve(folder));
    await stopProcesses(node, data.users, options);
    if (what === 'containers') await withdrawFence(node.paths.fence, ['dea', 'stager']);
    options.say(`copying ${data.path} to ${target}`);
    await copy(data.path, target);
    await leadTo(data.path, target);
  }
  if (wasRunning.length > 0) await startProcesses(node, wasRunning, options);
  return target;
}

function dataOf({ paths, config, file }: Node, what: Relocatable): Data {
  const plans = listProcesses(file);
  const named = (...names: string[]) => plans.filter(({ name }) => names.includes(name));
  if (what === 'containers') {
    const users = named('dea', 'stager');
    if (users.length === 0) throw new Refusal('this node has no containers', 'run it on a node with a DEA or a stager');
    return { path: layoutOf(paths.fence, '').storeImage, users };
  }
  if (what === 'droplets') {
    const users = named('controller', 'aok', 'logyard');
    if (users.length === 0) throw new Refusal('this node has no droplets', 'run it on the node with the controller');
    if (config.blobs.kind === 'folder' && config.blobs.folder === '')
      return { path: paths.blobs, users, account: 'stackato' };
    throw new Refusal(
      'packages and droplets do not lie in the state folder',
      'kato config get blobs says where they are',
    );
  }
  const users = named('postgresql');
  if (users.length === 0) throw new Refusal('this node has no database', 'run it on the Core node');
  return { path: paths.postgresql, users, account: 'postgres' };
}

async function refuseUnfit({ paths }: Node, { path, account }: Data, folder: string): Promise<void> {
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    (error) => {
      if (isMissing(error)) return false;
      throw error;
    },
  );
  if (!isFolder)
    throw new Refusal(`${folder} is no folder`, 'make one on the other disk, and mount that at every boot');
  if (`${folder}/`.startsWith(`${resolve(paths.state)}/`)) {
    throw new Refusal(`${folder} lies in the state folder`, 'name a folder on another disk');
  }
  if (account !== undefined && !(await canExecute(await getUser(account), folder))) {
    throw new Refusal(`the account ${account} can't reach ${folder}`, `chmod o+x ${folder}, and the folders above it`);
  }
  const bytes = await sizeOf(path);
  const { bavail, bsize } = await statfs(folder);
  if (bavail * bsize >= bytes + KEPT_FREE_BYTES) return;
  const [needed, free] = [bytes + KEPT_FREE_BYTES, bavail * bsize].map((one) => Math.ceil(one / 1024 ** 2));
  throw new Refusal(`${folder} has ${free} MB free, and ${needed} MB are needed`, 'name a folder on a larger disk');
}

/** On the disk, bytes. */
async function sizeOf(path: string): Promise<number> {
  try {
    const { stdout } = await exec(['du', '--summarize', '--block-size=1', '--dereference-args', path]);
    return Number(stdout.split('\t')[0]);
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    throw new Refusal(
      `${path} is not there`,
      'with a state folder on btrfs, containers lie in that itself: move the folder',
      {
        cause: error,
      },
    );
  }
}

/** A whole copy or none: the unfinished one of an interruption is begun again. */
async function copy(from: string, to: string): Promise<void> {
  const unfinished = `${to}.unfinished`;
  for (const path of [unfinished, to]) await rm(path, { recursive: true, force: true });
  const isFolder = (await stat(from)).isDirectory();
  if (isFolder) await mkdir(unfinished, { mode: 0o700 });
  try {
    // Not sparse: what the file holds is taken from the disk already.
    const argv = ['cp', '--archive', '--sparse=never', '--', isFolder ? `${from}/.` : await realPath(from), unfinished];
    await exec(argv, { timeoutMs: COPY_TIMEOUT_MS });
    await exec(['sync', '--file-system', unfinished], { timeoutMs: COPY_TIMEOUT_MS });
  } catch (error) {
    await rm(unfinished, { recursive: true, force: true });
    if (!(error instanceof ExecError)) throw error;
    throw new Refusal(
      `${from} could not be copied: ${error.stderr.trim()}`,
      'nothing was changed; start what was stopped: kato start',
      {
        cause: error,
      },
    );
  }
  await rename(unfinished, to);
}

async function realPath(path: string): Promise<string> {
  return (await linkAt(path)) ?? path;
}

/** Puts a link in the place of what was copied, at once, and removes that. */
async function leadTo(path: string, target: string): Promise<void> {
  const before = await linkAt(path);
  const aside = `${path}.before`;
  await rm(aside, { recursive: true, force: true });
  await symlink(target, aside);
  await exchange(path, aside);
  await rm(aside, { recursive: true, force: true });
  if (before !== undefined) await rm(before, { recursive: true, force: true });
}

async function linkAt(path: string): Promise<string | undefined> {
  try {
    return (await lstat(path)).isSymbolicLink() ? await readlink(path) : undefined;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

async function runningOf({ supervisor }: Node, plans: readonly ProcessPlan[]): Promise<ProcessPlan[]> {
  if (!(await supervisor.isRunning())) return [];
  const running = new Set((await supervisor.list()).filter(({ pid }) => pid !== 0).map(({ name }) => name));
  return plans.filter(({ program }) => running.has(program));
}
