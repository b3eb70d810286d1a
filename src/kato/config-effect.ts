import { stat } from 'node:fs/promises';
import { type ConfigEffect, describeEffect } from '../core/config-effect.ts';
import { isMissing } from '../platform/files.ts';
import { knownTopology } from './cluster/registry-client.ts';
import type { Node } from './node.ts';
import { Refusal } from './refusal.ts';

/** What it takes until a changed setting counts in this cluster, in words. */
export async function effectInWords(node: Node, effect: ConfigEffect): Promise<string> {
  const { file } = node;
  const topology = file.isMicro ? undefined : await knownTopology(node);
  const roles = topology?.nodes.flatMap((one) => one.roles) ?? file.roles;
  const where = file.isMicro ? 'micro' : file.roles.includes('primary') ? 'core' : 'other';
  return describeEffect(effect, { roles: [...new Set(roles)], where });
}

/** Who reads the folder that a setting names: it must be there on their nodes. */
const folders: Readonly<Record<string, string>> = { 'blobs.folder': 'controller', 'backup.folder': 'primary' };

/** Refuses the name of a folder that is not on this machine, when this machine will look for it. */
export async function refuseMissingFolder({ file }: Node, path: string, value: unknown): Promise<void> {
  const reader = folders[path];
  if (reader === undefined || typeof value !== 'string' || !value.startsWith('/') || !file.roles.includes(reader))
    return;
  const found = await stat(value).catch((error: unknown) => {
    if (isMissing(error)) return undefined;
    throw error;
  });
  if (found?.isDirectory()) return;
  throw new Refusal(
    `${path}: ${value} is ${found === undefined ? 'not there' : 'no folder'} on this machine, which would use it`,
    'make it, or mount what it is on, first',
  );
}
