import { chmod, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { exchange } from '../../platform/exchange.ts';
import { ExecError, start } from '../../platform/exec.ts';
import { withFileLock } from '../../platform/file-lock.ts';
import { exists, readTextIfExists } from '../../platform/files.ts';
import { sourceRoot } from '../../platform/paths.ts';
import { RegistryClient } from '../cluster/registry-client.ts';
import { retire } from '../cluster/retire.ts';
import type { Node } from '../node.ts';
import { Refusal } from '../refusal.ts';
import type { Terminal } from '../terminal.ts';
import { digestOf, unpackRelease } from './release-archive.ts';

/** Which release a folder of code was unpacked from: the digest of the archive. */
const MARK = '.release';
const EVACUATION_MS = 600_000;

export type HereOptions = {
  readonly sha256: string;
  readonly evacuates: boolean;
  readonly offline: boolean;
  /** Only see that nothing is missing here for it. */
  readonly isCheck: boolean;
};
type Context = { readonly terminal: Terminal; readonly signal: AbortSignal };

/**
 * Brings this node's code to the release that the Core holds, and restarts every process with it. Repeated after an
 * interruption it goes on where it was; the code before it is kept beside it, as `<folder>.previous`.
 */
export async function upgradeHere(node: Node, options: HereOptions, context: Context): Promise<void> {
  await mkdir(node.paths.upgrade, { recursive: true, mode: 0o755 });
  // One whose caller was killed may still be at it.
  await withFileLock(
    join(node.paths.upgrade, 'here.lock'),
    () => bring(node, options, context),
    () => context.terminal.say('waiting for an upgrade of this node that is under way'),
  );
}

async function bring(node: Node, options: HereOptions, context: Context): Promise<void> {
  const root = resolve(sourceRoot);
  const next = `${root}.next`;
  const flags = options.offline ? ['--offline'] : [];
  if (!(await isRelease(root, options.sha256))) {
    if (!(await isRelease(next, options.sha256))) await unpack(node, { ...options, folder: next }, context);
    await refuseUnready(next, flags);
    if (options.isCheck) return;
    if (options.evacuates && (await isDeaRunning(node))) {
      await retire(node, { ...context, timeoutMs: EVACUATION_MS });
    }
    await swap(root, next);
  }
  if (options.isCheck) return;
  if (await exists(next)) {
    await rm(`${root}.previous`, { recursive: true, force: true });
    await rename(next, `${root}.previous`);
  }
  const code = await runKato(['node', 'upgrade', '--finish', ...flags]);
  if (code !== 0) throw new Refusal(`the new version did not start (exit code ${code})`, 'what it said is above');
}

/** Is the code in this folder that of the archive with this digest, and whole? */
async function isRelease(folder: string, sha256: string): Promise<boolean> {
  return (await readTextIfExists(join(folder, MARK)))?.trim() === sha256;
}

/** What the new version needs here is known to itself alone. */
async function refuseUnready(folder: string, flags: readonly string[]): Promise<void> {
  const code = await runKato(['node', 'upgrade', '--finish', '--check', ...flags], folder);
  if (code !== 0)
    throw new Refusal('the new version can not run here yet, and nothing was changed', 'what it lacks is above');
}

/** Runs the kato that is on the disk now, which says what it says where this one does. */
export async function runKato(args: readonly string[], code = resolve(sourceRoot)): Promise<number> {
  const child = start([join(code, 'bin', 'kato'), ...args], { cwd: '/' }, ['ignore', 'inherit', 'inherit']);
  return new Promise((done, reject) => {
    child.on('error', reject);
    child.on('close', (code) => done(code ?? 1));
  });
}

async function unpack(
  node: Node,
  { sha256, folder }: { sha256: string; folder: string },
  { terminal, signal }: Context,
): Promise<void> {
  await refuseFixedFolder(dirname(folder));
  const archive = await archiveOf(node, sha256, { terminal, signal });
  terminal.say(`unpacking it beside ${basename(resolve(sourceRoot))}`);
  await unpackRelease(archive, folder);
  const { mode } = await stat(sourceRoot);
  await chmod(folder, mode & 0o777);
  await writeFile(join(folder, MARK), `${sha256}\n`);
  if (archive !== node.paths.release) await rm(archive);
}

/** The archive, on the Core its own. */
async function archiveOf(node: Node, sha256: string, { terminal, signal }: Context): Promise<string> {
  const { paths, file } = node;
  if (file.isMicro || file.roles.includes('primary')) return checked(paths.release, sha256);
  const path = join(paths.upgrade, 'fetched.tar.gz');
  terminal.say(`fetching the release from the Core (${file.coreAddress})`);
  await new RegistryClient(node).downloadRelease(path, signal);
  return checked(path, sha256);
}

async function checked(path: string, sha256: string): Promise<string> {
  if ((await digestOf(path)) === sha256) return path;
  throw new Refusal(`${path} is not the release of this upgrade`, 'run on the Core: kato node upgrade --resume');
}

async function refuseFixedFolder(parent: string): Promise<void> {
  const [own, above] = await Promise.all([stat(sourceRoot), stat(parent)]);
  if (own.dev === above.dev) return;
  throw new Refusal(
    `${resolve(sourceRoot)} is a file system of its own, and can not be swapped for another folder`,
    'put the code into a folder below it',
  );
}

async function isDeaRunning({ supervisor }: Node): Promise<boolean> {
  if (!(await supervisor.isRunning())) return false;
  return (await supervisor.list()).some(({ name, state }) => name === 'dea' && state === 'RUNNING');
}

async function swap(one: string, other: string): Promise<void> {
  try {
    await exchange(one, other);
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    throw new Refusal(`${one} could not be swapped for the new version: ${error.stderr.trim()}`, undefined, {
      cause: error,
    });
  }
}
