import { mkdir, readlink, rename, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exec } from '../../platform/exec.ts';
import { withFileLock } from '../../platform/file-lock.ts';
import { exists, isMissing } from '../../platform/files.ts';
import type { Random } from '../../platform/random.ts';
import { ContainerError } from '../container.ts';
import { failure } from './failure.ts';
import { ID_OFFSET } from './id-ranges.ts';
import type { Layout } from './naming.ts';
import { namesIn, type Store } from './store.ts';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const IMAGE_KEY = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const COPY_TIMEOUT_MS = 900_000;
const STACK_BYTES = 2_000_000_000;
const SHIFT_OWNERS = fileURLToPath(new URL('shift-owners.ts', import.meta.url));

/** Stacks, which all engines of a store share, and the images that one pool makes from them. */
export class Stacks {
  readonly #layout: Layout;
  readonly #store: Store;
  readonly #random: Random;
  readonly #preparing = new Map<string, Promise<void>>();

  constructor(given: { layout: Layout; store: Store; random: Random }) {
    this.#layout = given.layout;
    this.#store = given.store;
    this.#random = given.random;
  }

  async list(): Promise<string[]> {
    return (await namesIn(this.#layout.stacks)).filter((name) => NAME.test(name)).sort();
  }

  /** The subvolume behind a root of a container. */
  async subvolumeOf(root: { readonly stack: string } | { readonly image: string }): Promise<string> {
    if ('image' in root) {
      if (await this.hasImage(root.image)) return this.#imagePath(root.image);
      throw new ContainerError('not-found', `no image called ${root.image} was prepared`);
    }
    const target = await this.#target(root.stack);
    if (target !== undefined) return target;
    const known = (await this.list()).join(', ') || 'none';
    throw new ContainerError('no-such-stack', `no stack called ${root.stack} was imported; there are: ${known}`);
  }

  async import(name: string, source: { directory: string } | { tar: string }): Promise<void> {
    if (!NAME.test(name)) throw new ContainerError('failed', `"${name}" can't be the name of a stack`);
    await this.#store.ensureFree(STACK_BYTES);
    const made = await this.#make((path) => this.#copyStack(source, path));
    await withFileLock(this.#layout.storeLock, async () => {
      const subvolume = join(this.#layout.subvolumes, `${name}-${basename(made)}`);
      const before = await this.#target(name);
      await rename(made, subvolume);
      await this.#store.protect(subvolume);
      const link = join(this.#layout.stacks, `.${basename(made)}`);
      await symlink(join('..', 'subvolumes', basename(subvolume)), link);
      await rename(link, join(this.#layout.stacks, name));
      if (before !== undefined) await this.#store.remove([before]);
    });
  }

  async remove(name: string): Promise<void> {
    await withFileLock(this.#layout.storeLock, async () => {
      const target = await this.#target(name);
      if (target === undefined) return;
      await rm(join(this.#layout.stacks, name), { force: true });
      await this.#store.remove([target]);
    });
  }

  /** Removes subvolumes of stacks whose import or removal was interrupted. */
  async sweep(): Promise<string[]> {
    return withFileLock(this.#layout.storeLock, async () => {
      const used = new Set(await Promise.all((await this.list()).map((name) => this.#target(name))));
      const all = (await namesIn(this.#layout.subvolumes)).map((name) => join(this.#layout.subvolumes, name));
      const orphans = all.filter((path) => !used.has(path));
      await this.#store.remove(orphans);
      return orphans.map((path) => `stack ${basename(path)}`);
    });
  }

  /** Paths that are being made now. */
  readonly making = new Set<string>();

  prepareImage(image: { key: string; stack: string }, fill: (root: string) => Promise<void>): Promise<void> {
    const underWay = this.#preparing.get(image.key);
    if (underWay) return underWay;
    const work = this.#fillImage(image, fill).finally(() => this.#preparing.delete(image.key));
    this.#preparing.set(image.key, work);
    return work;
  }

  async hasImage(key: string): Promise<boolean> {
    return IMAGE_KEY.test(key) && (await exists(this.#imagePath(key)));
  }

  async listImages(): Promise<string[]> {
    return (await namesIn(this.#layout.images)).sort();
  }

  async removeImage(key: string): Promise<void> {
    if (IMAGE_KEY.test(key)) await this.#store.remove([this.#imagePath(key)]);
  }

  async #fillImage(image: { key: string; stack: string }, fill: (root: string) => Promise<void>): Promise<void> {
    if (!IMAGE_KEY.test(image.key)) throw new ContainerError('failed', `"${image.key}" can't be the key of an image`);
    if (await this.hasImage(image.key)) return;
    const stack = await this.subvolumeOf({ stack: image.stack });
    const made = await this.#make(async (path) => {
      await this.#store.snapshot(stack, path);
      await fill(path);
    });
    await rename(made, this.#imagePath(image.key));
  }

  async #copyStack(source: { directory: string } | { tar: string }, path: string): Promise<void> {
    await this.#store.createSubvolume(path);
    const copy = 'tar' in source ? unpackCommand(source.tar, path) : ['cp', '-a', '--', `${source.directory}/.`, path];
    const shift = [process.execPath, SHIFT_OWNERS, path, String(ID_OFFSET)];
    try {
      for (const argv of [copy, shift]) await exec(argv, { timeoutMs: COPY_TIMEOUT_MS });
    } catch (error) {
      throw failure('the stack could not be imported', error);
    }
  }

  async #make(fill: (path: string) => Promise<void>): Promise<string> {
    await mkdir(this.#layout.making, { recursive: true });
    const path = join(this.#layout.making, this.#random.hex(8));
    this.making.add(path);
    try {
      await fill(path);
      return path;
    } catch (error) {
      await this.#store.remove([path]);
      throw error;
    } finally {
      this.making.delete(path);
    }
  }

  #imagePath(key: string): string {
    return join(this.#layout.images, key);
  }

  async #target(name: string): Promise<string | undefined> {
    if (!NAME.test(name)) return undefined;
    try {
      return join(this.#layout.stacks, await readlink(join(this.#layout.stacks, name)));
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
  }
}

/** Devices are left out: containers get their own, and an archive must not bring any. */
const unpackCommand = (tar: string, folder: string) => [
  ...['tar', '--extract', '--file', tar, '--directory', folder],
  ...['--numeric-owner', '--preserve-permissions', '--exclude=./dev/*', '--exclude=dev/*'],
];
