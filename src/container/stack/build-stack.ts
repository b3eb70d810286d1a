import { createHash } from 'node:crypto';
import {
  chmod,
  copyFile,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../platform/clock.ts';
import { contained } from '../../platform/contained.ts';
import { ExecError, exec } from '../../platform/exec.ts';
import { exists, readTextIfExists } from '../../platform/files.ts';
import { sourceRoot } from '../../platform/paths.ts';
import { formatAptSource, readAptSources, selectAptSources } from './apt-sources.ts';
import type { StackRecipe } from './recipe.ts';

/** Where the recipe of the stack that comes with the platform is. */
export const defaultRecipePath = join(sourceRoot, 'stacks', 'stackato', 'recipe.yml');
/** Stacks that were built are kept here unless told otherwise. */
export const defaultStackCache = '/var/cache/stackato';

export type BuildOptions = {
  readonly recipe: StackRecipe;
  /** Default /var/cache/stackato. */
  readonly cacheDirectory?: string;
  readonly clock: Clock;
  readonly signal?: AbortSignal;
  /** Told what is being done now. */
  readonly onStep?: (step: string) => void;
};

export type BuiltStack = { readonly tar: string; readonly isFromCache: boolean; readonly tookMs: number };

const BUILD_TIMEOUT_MS = 1_800_000;
/** A change of how stacks are built makes what is in the cache stale. */
const BUILDER_VERSION = 2;

/**
 * Builds a stack from Debian packages, or finds it in the cache. An interrupted build leaves nothing that a later one
 * would take for whole.
 *
 * @throws Error saying what the machine lacks, or what the package manager answered
 */
export async function buildStack(options: BuildOptions): Promise<BuiltStack> {
  const { recipe, clock, signal, onStep = () => undefined } = options;
  const cache = join(options.cacheDirectory ?? defaultStackCache, 'stacks');
  const startedAtMs = clock.nowMs();
  const node = nodePackageFolder();
  const tar = stackArchive(recipe, options.cacheDirectory);
  const finish = (isFromCache: boolean) => ({ tar, isFromCache, tookMs: clock.nowMs() - startedAtMs });
  if (await exists(tar)) return finish(true);

  const sources = selectAptSources(await readAptSources(), { suite: recipe.suite, own: await ownRelease() });
  if (sources.length === 0) throw new Error(noSources(recipe.suite));
  await mkdir(cache, { recursive: true });
  await removeUnfinished(cache);
  const work = await mkdtemp(join(cache, `unfinished-${process.pid}-`));
  const root = join(work, 'root');
  try {
    // Packages are fetched by another user.
    await chmod(work, 0o755);
    const run = (argv: readonly string[]) => exec(argv, { timeoutMs: BUILD_TIMEOUT_MS, ...(signal ? { signal } : {}) });
    onStep(`install ${recipe.packages.length} Debian packages and what they need`);
    const list = join(work, 'sources.list');
    await writeFile(list, `${sources.map((source) => formatAptSource(source, recipe.components)).join('\n')}\n`);
    const command = debootstrapCommand(recipe, { root, list, aptOptions: await aptOptions() });
    // It mounts /proc and /sys in the new root, and would leave them there when it is killed.
    await install(contained(command), `${tar}.log`, run);
    onStep('add Node, users and locales');
    await addNode(root, node);
    for (const [name, version] of Object.entries(recipe.npmPackages)) {
      await run(['npm', 'pack', '--silent', '--pack-destination', work, `${name}@${version}`]);
      await addNpmPackage(root, { name, archive: join(work, `${name}-${version}.tgz`) });
    }
    for (const argv of userCommands(root, recipe)) await run(argv);
    await addLocales(root, recipe.locales, run);
    for (const path of recipe.remove) await rm(join(root, path), { recursive: true, force: true });
    onStep('pack');
    const unfinished = join(work, 'stack.tar');
    await run(['tar', '--create', '--file', unfinished, '--numeric-owner', '--directory', root, '.']);
    await rename(unfinished, tar);
    await removeOutdated(cache, recipe.name, tar);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return finish(false);
}

/** Where the archive of a stack is once it is built. */
export function stackArchive(recipe: StackRecipe, cacheDirectory = defaultStackCache): string {
  return join(cacheDirectory, 'stacks', `${recipe.name}-${hashOf(recipe)}.tar`);
}

/** The argument array that makes the root folder; exported for its test. */
export function debootstrapCommand(
  recipe: StackRecipe,
  given: { root: string; list: string; aptOptions: readonly string[] },
): string[] {
  return [
    'mmdebstrap',
    ...['--mode=root', '--variant=minbase', '--format=directory', '--verbose'],
    `--include=${recipe.packages.join(',')}`,
    ...recipe.exclude.map((pattern) => `--dpkgopt=path-exclude=${pattern}`),
    ...given.aptOptions.map((option) => `--aptopt=${option}`),
    ...[recipe.suite, given.root, given.list],
  ];
}

function hashOf(recipe: StackRecipe): string {
  const input = JSON.stringify({ recipe, node: process.version, arch: process.arch, builder: BUILDER_VERSION });
  return createHash('sha256').update(input).digest('hex').slice(0, 16);
}

/** What the package manager says is long; when it fails it is kept, and the lines that matter are told. */
async function install(argv: readonly string[], logFile: string, run: (argv: readonly string[]) => Promise<unknown>) {
  try {
    await run(argv);
    await rm(logFile, { force: true });
  } catch (error) {
    if (!(error instanceof ExecError)) throw error;
    await writeFile(logFile, `${error.stderr}\n${error.stdout}`);
    const faults = error.stderr.split('\n').filter((line) => /\berror\b|^E: (?!setup failed)/i.test(line));
    const said = faults.slice(0, 6).join('\n');
    throw new Error(`the stack's packages could not be installed; all of it is in ${logFile}\n${said}`, {
      cause: error,
    });
  }
}

/** How this machine reaches its packages, for the package manager that fills the new root. */
async function aptOptions(): Promise<string[]> {
  const { stdout } = await exec(['apt-config', 'dump', '--no-empty', 'Acquire']);
  const proxies = stdout.split('\n').filter((line) => /^Acquire::https?::(proxy|cainfo|verify)/i.test(line));
  return proxies.map((line) => line.replace(/;$/, ''));
}

function nodePackageFolder(): string {
  return join(sourceRoot, 'node_modules', `node-linux-${process.arch}`);
}

async function addNode(root: string, from: string): Promise<void> {
  const local = join(root, 'usr', 'local');
  await mkdir(join(local, 'etc'), { recursive: true });
  await copyFile(join(from, 'bin', 'node'), join(local, 'bin', 'node'));
  await chmod(join(local, 'bin', 'node'), 0o755);
  await cp(join(from, 'include', 'node'), join(local, 'include', 'node'), { recursive: true });
  await exec(['chown', '-R', '0:0', join(local, 'include', 'node')]);
  // Node brings certificates of its own; npm shall trust what the machine's operator does.
  await writeFile(
    join(local, 'etc', 'npmrc'),
    'cafile=/etc/ssl/certs/ca-certificates.crt\nfund=false\nupdate-notifier=false\n',
  );
}

async function addNpmPackage(root: string, given: { name: string; archive: string }): Promise<void> {
  const folder = join(root, 'usr/local/lib/node_modules', given.name);
  await mkdir(folder, { recursive: true });
  const unpack = ['tar', '--extract', '--file', given.archive, '--strip-components=1', '--directory', folder];
  await exec([...unpack, '--no-same-owner']);
  const { bin } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { bin?: Record<string, string> };
  for (const [command, path] of Object.entries(bin ?? {})) {
    await chmod(join(folder, path), 0o755);
    await rm(join(root, 'usr/local/bin', command), { force: true });
    await symlink(join('../lib/node_modules', given.name, path), join(root, 'usr/local/bin', command));
  }
}

function userCommands(root: string, { user }: StackRecipe): string[][] {
  const id = String(user.id);
  return [
    ['chroot', root, 'groupadd', '--gid', id, user.name],
    [
      'chroot',
      root,
      'useradd',
      '--uid',
      id,
      '--gid',
      id,
      '--home-dir',
      user.home,
      '--create-home',
      '--shell',
      '/bin/bash',
      user.name,
    ],
  ];
}

async function addLocales(
  root: string,
  locales: readonly string[],
  run: (argv: readonly string[]) => Promise<unknown>,
) {
  for (const locale of locales) {
    const [language = '', charset = 'UTF-8'] = locale.split('.');
    await run([
      'chroot',
      root,
      'localedef',
      '-i',
      language,
      '-c',
      '-f',
      charset,
      '-A',
      '/usr/share/locale/locale.alias',
      locale,
    ]);
  }
}

/** A stack is large; those of earlier recipes are not used again. */
async function removeOutdated(cache: string, name: string, tar: string): Promise<void> {
  const isOfRecipe = new RegExp(`^${name.replaceAll('.', '\\.')}-[0-9a-f]{16}\\.tar(\\.log)?$`);
  for (const file of await readdir(cache)) {
    if (isOfRecipe.test(file) && join(cache, file) !== tar) await rm(join(cache, file), { force: true });
  }
}

/** Of builds whose process died. */
async function removeUnfinished(cache: string): Promise<void> {
  for (const name of await readdir(cache)) {
    const pid = Number(/^unfinished-(\d+)-/.exec(name)?.[1] ?? 0);
    if (pid > 0 && !(await exists(`/proc/${pid}`))) await rm(join(cache, name), { recursive: true, force: true });
  }
}

/** The machine's release of Debian, by its code name. */
async function ownRelease(): Promise<string> {
  return /^VERSION_CODENAME="?(\w+)/m.exec((await readTextIfExists('/etc/os-release')) ?? '')?.[1] ?? '';
}

function noSources(suite: string): string {
  return `no package source for Debian's ${suite}, nor one for this machine's own release, in /etc/apt; add its "main" component to /etc/apt/sources.list.d`;
}
