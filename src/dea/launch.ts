import { lstat, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { ContainerEngine } from '../container/container.ts';
import type { ClusterConfig } from '../contract/config.ts';
import { instanceEnv } from '../core/instance-env.ts';
import { appHome, launchCommand } from '../core/launch-command.ts';
import type { Clock } from '../platform/clock.ts';
import { isMissing } from '../platform/files.ts';
import type { AppLog } from './app-log.ts';
import type { DropletStore } from './droplets.ts';
import { appPort, type Instance } from './instance.ts';

/** Marks this component's containers among those of the node. */
export const deaLabel = { component: 'dea' } as const;

/** An instance that can't be started for a reason its owner can change. */
export class LaunchError extends Error {
  override name = 'LaunchError';
}

export type LaunchParts = {
  readonly engine: ContainerEngine;
  readonly droplets: DropletStore;
  readonly appLog: AppLog;
  readonly clock: Clock;
  readonly config: ClusterConfig;
  readonly node: { readonly id: string; readonly address: string };
};

/** Brings an instance from nothing to a started main process: droplet, container, process. */
export async function launch(parts: LaunchParts, instance: Instance): Promise<void> {
  const { engine, appLog, clock } = parts;
  const signal = instance.over.signal;
  const cell = parts.node.id.slice(0, 8);
  appLog.say(instance, `Cell ${cell} creating container for instance ${instance.id}`);
  const image = await parts.droplets.prepare(instance.message, signal);
  signal.throwIfAborted();
  await createContainer(parts, instance, image);
  appLog.say(instance, `Cell ${cell} successfully created container for instance ${instance.id}`);
  const command = await commandOf(parts, instance);
  signal.throwIfAborted();
  instance.startedAtMs = clock.nowMs();
  await engine.start(instance.id, {
    args: launchCommand(command),
    env: environmentOf(parts, instance),
    cwd: appHome.app,
    uid: appHome.uid,
    gid: appHome.gid,
  });
}

async function createContainer(parts: LaunchParts, instance: Instance, image: string): Promise<void> {
  const { message, id } = instance;
  const { mem, disk, fds } = message.limits;
  const info = await parts.engine.create({
    handle: id,
    root: { image },
    limits: { memoryMb: mem, diskMb: disk, fds, pids: parts.config.dea.pidsLimit },
    ports: [appPort],
    egress: message.egress_network_rules,
    user: { uid: appHome.uid, gid: appHome.gid },
    labels: { ...deaLabel, droplet: message.droplet, index: String(message.index), version: message.version },
  });
  instance.placement = { address: info.address, hostPort: info.ports[0]?.hostPort ?? 0 };
}

function environmentOf(parts: LaunchParts, instance: Instance): Record<string, string> {
  const { message, placement } = instance;
  return instanceEnv({
    instance: instance.id,
    index: message.index,
    env: message.env,
    vcapApplication: message.vcap_application,
    vcapServices: message.x?.vcap_services ?? {},
    memoryMb: message.limits.mem,
    port: appPort,
    hostAddress: parts.node.address,
    hostPort: placement?.hostPort ?? 0,
    containerAddress: placement?.address ?? '',
    startedAtMs: instance.startedAtMs,
  });
}

/** The command that was asked for, else the one in the droplet. */
async function commandOf(parts: LaunchParts, instance: Instance): Promise<string> {
  const asked = instance.message.start_command;
  if (asked) return asked;
  const path = join(await parts.engine.rootPath(instance.id), appHome.root, 'staging_info.yml');
  // The file is the app's: a link would be followed on the host.
  const info = (await isPlainFile(path)) ? parse(await readFile(path, 'utf8')) : undefined;
  const command: unknown = info?.start_command;
  if (typeof command === 'string' && command.trim() !== '') return command;
  throw new LaunchError('missing start command; name one in the manifest or a Procfile');
}

async function isPlainFile(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isFile();
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}
