import { readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parse } from 'yaml';
import { type NetworkFacts, type NetworkPlan, planNetwork } from '../core/network-manager.ts';
import type { StaticAddress } from '../core/static-address.ts';
import { systemClock } from '../platform/clock.ts';
import { ExecError, exec } from '../platform/exec.ts';
import { exists, isMissing, readTextIfExists } from '../platform/files.ts';
import { listInterfaces } from '../platform/network-address.ts';
import { writeOwnedFile } from '../platform/owned-files.ts';
import { Refusal } from './refusal.ts';

const owner = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };
const BACKUPS = '/var/backups/stackato';
/** A DHCP client gives up after a minute. */
const APPLY_TIMEOUT_MS = 120_000;
const ADDRESSED_WITHIN_MS = 30_000;

/** What was written, and what to do to have it as it was. */
export type WrittenNetwork = {
  readonly manager: NetworkPlan['manager'];
  readonly file: string;
  readonly isChanged: boolean;
  readonly isApplied: boolean;
  /** The file as it was before it was changed last; undefined when there was none. */
  readonly previous: string | undefined;
  /** Is there a program that puts name servers into `/etc/resolv.conf`? */
  readonly keepsDns: boolean;
};

/**
 * Has whoever configures the interface on this machine give it this address, or one by DHCP.
 *
 * @param options `root`: the folder that is `/` (another one than this machine's can't be applied); `isApplied`: at once;
 * `isThere`: the interface has the address already, so that nothing is to be applied when the file says so too
 * @throws Refusal when nobody configures it, or when the manager fails: then the file is as it was
 */
export async function configureNetwork(
  name: string,
  wanted: StaticAddress | undefined,
  { root, isApplied, isThere }: { root: string; isApplied: boolean; isThere: boolean },
): Promise<WrittenNetwork> {
  const plan = planNetwork(await readNetworkFacts(name, root), wanted);
  if ('refused' in plan) throw new Refusal(plan.refused, plan.next);
  const file = join(root, plan.path);
  const backup = join(root, BACKUPS, `${plan.manager}-${basename(plan.path)}`);
  const before = await readTextIfExists(file);
  const isChanged = before !== plan.text;
  if (isChanged && before !== undefined) await writeOwnedFile(backup, before, { owner, mode: 0o600 });
  if (isChanged && before === undefined) await rm(backup, { force: true });
  await writeOwnedFile(file, plan.text, { owner, mode: plan.mode });
  const previous = (await exists(backup)) ? backup : undefined;
  const keepsDns = await hasAny(root, ['usr/sbin/resolvconf', 'sbin/resolvconf', 'run/systemd/resolve']);
  const written = { manager: plan.manager, file, isChanged, previous, keepsDns, isApplied };
  if (!isApplied || (isThere && !isChanged)) return written;
  try {
    await run(plan.apply(previous));
    await untilAddressed(name, wanted);
  } catch (error) {
    if (!(error instanceof ExecError || error instanceof Refusal)) throw error;
    if (!isChanged) throw new Refusal(`${plan.manager} failed: ${error.message}`, `look at ${file} and ${name}`);
    const failed = `${backup}.failed`;
    await writeOwnedFile(failed, plan.text, { owner, mode: 0o600 });
    if (before === undefined) await rm(file);
    else await writeOwnedFile(file, before, { owner, mode: plan.mode });
    await run(plan.apply(failed)).catch((again: unknown) => {
      throw new Refusal(`${error.message}\nand not back either: ${describe(again)}`, `look at ${file} and ${name}`);
    });
    throw new Refusal(
      `${plan.manager} failed, and ${file} is as it was: ${error.message}`,
      `what failed is in ${failed}`,
    );
  }
  return written;
}

/** The managers end before the interface has its address, and some when it never gets one. */
async function untilAddressed(name: string, wanted: StaticAddress | undefined): Promise<void> {
  const endMs = systemClock.nowMs() + ADDRESSED_WITHIN_MS;
  for (;;) {
    const address = (await listInterfaces()).find((one) => one.name === name)?.address;
    const isThere = wanted === undefined ? address !== undefined : address === `${wanted.address}/${wanted.length}`;
    if (isThere) return;
    if (systemClock.nowMs() >= endMs) throw new Refusal(`${name} has ${address ?? 'no address'} half a minute later`);
    await systemClock.sleep(500);
  }
}

/** Whom `core/network-manager.ts` decides between. */
async function readNetworkFacts(name: string, root: string): Promise<NetworkFacts> {
  const has = (...paths: string[]) => hasAny(root, paths);
  return {
    interface: name,
    netplan: (await has('usr/sbin/netplan')) ? await readNetplan(name, root) : [],
    isNetworkd: await isOfNetworkd(name, root),
    ifupdown: (await has('usr/sbin/ifup', 'sbin/ifup')) ? await readIfupdown(root) : [],
    isNetworkManager: await has('run/NetworkManager'),
  };
}

async function hasAny(root: string, paths: readonly string[]): Promise<boolean> {
  return (await Promise.all(paths.map((path) => exists(join(root, path))))).some(Boolean);
}

async function readNetplan(name: string, root: string): Promise<NetworkFacts['netplan']> {
  const files = (await list(join(root, 'etc/netplan'))).filter((file) => file.endsWith('.yaml'));
  return Promise.all(
    files.map(async (file) => {
      const path = `/etc/netplan/${file}`;
      const { network } = (parseYaml(path, (await readTextIfExists(join(root, path))) ?? '') ?? {}) as {
        network?: { ethernets?: Record<string, Record<string, unknown> | null> | null } | null;
      };
      const own = network?.ethernets?.[name];
      const isGiven = ['addresses', 'routes', 'gateway4'].some((key) => own?.[key] !== undefined);
      return { path, hasInterface: own !== undefined && own !== null, hasAddresses: isGiven };
    }),
  );
}

function parseYaml(path: string, text: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw new Refusal(`${path} can't be read: ${describe(cause)}`, 'mend it: netplan reads it too', { cause });
  }
}

/** networkd tells in files of its own which interfaces it looks after. */
async function isOfNetworkd(name: string, root: string): Promise<boolean> {
  const index = (await readTextIfExists(join(root, `sys/class/net/${name}/ifindex`)))?.trim();
  if (index === undefined) return false;
  const state = (await readTextIfExists(join(root, `run/systemd/netif/links/${index}`))) ?? '';
  return /^ADMIN_STATE=(?!unmanaged)/m.test(state);
}

async function readIfupdown(root: string): Promise<NetworkFacts['ifupdown']> {
  const more = (await list(join(root, 'etc/network/interfaces.d'))).filter((file) => !file.startsWith('.'));
  const paths = ['/etc/network/interfaces', ...more.map((file) => `/etc/network/interfaces.d/${file}`)];
  return Promise.all(paths.map(async (path) => ({ path, text: (await readTextIfExists(join(root, path))) ?? '' })));
}

async function list(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function run(commands: readonly (readonly string[])[]): Promise<void> {
  for (const command of commands) await exec(command, { timeoutMs: APPLY_TIMEOUT_MS });
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
