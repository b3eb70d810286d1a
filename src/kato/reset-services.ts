import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { listProcesses } from '../core/role-plan.ts';
import { isMissing } from '../platform/files.ts';
import { openServer, requireCore } from './data/server.ts';
import { type LifecycleOptions, startProcesses, stopProcesses } from './lifecycle.ts';
import type { Node } from './node.ts';
import { Refusal } from './refusal.ts';
import { removeMark } from './setup/marks.ts';
import { readSecrets } from './setup/secrets.ts';
import { prepareControlDatabase } from './store/control-database.ts';
import { dropPlatformData } from './store/platform-data.ts';

/** What set-up made for the first time, and makes again. */
const MARKS = ['first-admin.json', 'first-admin.done', 'welcome.done'];

/**
 * Removes everything that users made, on the node that keeps it: users, organizations, apps, packages, droplets, logs. The
 * machine's place stays: roles, addresses, domain, settings, certificates, the other nodes. Repeating it finishes what was interrupted.
 */
export async function resetServices(node: Node, options: LifecycleOptions): Promise<void> {
  requireCore(node);
  const { paths, config, file } = node;
  if (config.blobs.kind !== 'folder') {
    throw new Refusal(
      `packages and droplets are in the bucket ${config.blobs.s3.bucket}, which is yours to empty`,
      'set blobs.kind to folder first',
    );
  }
  const [database, users] = [
    listProcesses(file).filter(({ name }) => name === 'postgresql'),
    listProcesses(file).filter(
      ({ name, role }) => role === 'controller' || role === 'dea' || name === 'health_manager',
    ),
  ];
  await stopProcesses(node, users, options);
  await startProcesses(node, database, options);
  const server = await openServer(node);
  options.say('removing users, apps and their data');
  await dropPlatformData(server);
  for (const folder of [config.blobs.folder || paths.blobs, paths.logyard, paths.scratch]) await empty(folder);
  for (const mark of MARKS) await removeMark(paths, mark);
  await prepareControlDatabase(server, (await readSecrets(paths)).database, { isCluster: !file.isMicro });
  await startProcesses(node, listProcesses(file), options);
}

async function empty(folder: string): Promise<void> {
  try {
    for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
