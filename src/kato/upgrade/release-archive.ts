import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { decode } from '../../contract/decode.ts';
import { Release } from '../../contract/release.ts';
import { platformVersion } from '../../contract/version.ts';
import { ExecError, exec } from '../../platform/exec.ts';
import { temporaryDirectory } from '../../platform/files.ts';
import { sourceRoot } from '../../platform/paths.ts';
import { Refusal } from '../refusal.ts';

const TIMEOUT_MS = 900_000;
const RELEASE_FILE = 'release.json';

/**
 * Packs the release that this command runs from, with the npm packages that it runs on: what a cluster without a way to
 * the outside is upgraded with.
 *
 * @returns the release, and the size of the archive, bytes
 */
export async function packRelease(path: string): Promise<Release> {
  const release: Release = { version: platformVersion, arch: process.arch };
  await using folder = await temporaryDirectory('release');
  await writeFile(join(folder.path, RELEASE_FILE), `${JSON.stringify(release)}\n`, { mode: 0o644 });
  const leftOut = ['.git', 'node_modules/.compile-cache', 'node_modules/.cache', ...(await developmentPackages())];
  const unfinished = `${path}.unfinished`;
  const own = ['--directory', sourceRoot, ...leftOut.map((name) => `--exclude=./${name}`), '.'];
  try {
    await exec(
      [
        ...['tar', '--create', '--file', unfinished, '--use-compress-program', 'gzip -1', '--anchored'],
        ...['--owner=0', '--group=0', '--numeric-owner', '--directory', folder.path, RELEASE_FILE, ...own],
      ],
      { timeoutMs: TIMEOUT_MS },
    );
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw refusalOf(error, `the release could not be written to ${path}`);
  }
  return release;
}

/** What an archive is. @throws Refusal when it is no release */
export async function readRelease(path: string): Promise<Release> {
  try {
    // The first entry, so that not all of it is read.
    const argv = ['tar', '--extract', '--gzip', '--to-stdout', '--occurrence=1', '--file', path, RELEASE_FILE];
    const { stdout } = await exec(argv, { timeoutMs: TIMEOUT_MS });
    return decode(Release, JSON.parse(stdout), RELEASE_FILE);
  } catch (error) {
    throw new Refusal(
      `${path} is no release: ${(error as Error).message.split('\n')[0]}`,
      'make one with the new version: bin/kato node upgrade --prepare FILE',
      { cause: error },
    );
  }
}

/** Unpacks a release into a folder that is not there yet. */
export async function unpackRelease(path: string, folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { mode: 0o755 });
  try {
    const argv = ['tar', '--extract', '--gzip', '--no-same-owner', '--preserve-permissions', '--file', path];
    await exec([...argv, '--directory', folder], { timeoutMs: TIMEOUT_MS });
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw refusalOf(error, `the release could not be unpacked into ${dirname(folder)}`);
  }
}

/** Hex. */
export async function digestOf(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

/** Folders of the packages that only tests and checks need. */
async function developmentPackages(): Promise<string[]> {
  const lock = JSON.parse(await readFile(join(sourceRoot, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { dev?: boolean }>;
  };
  return Object.entries(lock.packages).flatMap(([path, { dev }]) => (dev ? [path] : []));
}

function refusalOf(error: unknown, what: string): Error {
  if (!(error instanceof ExecError)) return error as Error;
  return new Refusal(`${what}: ${error.stderr.trim() || error.message}`, 'see that there is room, then run it again', {
    cause: error,
  });
}
