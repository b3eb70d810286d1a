import { PlatformError } from '../contract/errors.ts';
import { type QuotaDemand, quotaErrors } from '../core/quota.ts';
import type { Controller, ControllerTx } from './api/controller.ts';
import { type AppRow, getAppPlace, updateApp } from './store/app.ts';
import { getDroplet } from './store/droplet.ts';
import {
  deleteProcess,
  getOrganizationQuota,
  insertProcess,
  listProcessesOf,
  lockOrganizationUsage,
  type ProcessRow,
  readUsage,
  updateProcess,
} from './store/process.ts';
import { recordRevision } from './store/revision.ts';

/** Marks an app as started, with a new version of each process when it was stopped or is restarted. */
export async function startApp(
  controller: Controller,
  tx: ControllerTx,
  options: { app: AppRow; isRestart: boolean },
): Promise<AppRow> {
  const { app, isRestart } = options;
  if (app.droplet_guid === null) {
    throw new PlatformError('UnprocessableEntity', 'Assign a droplet before starting this app.');
  }
  if (app.state === 'STARTED' && !isRestart) return app;
  const processes = await listProcessesOf(tx, app.guid);
  await checkQuota(tx, { app, processes: processes.map(demandOf), exceptApp: app.guid });
  const revision = await recordRevision(tx, { app, processes, guid: controller.random.guid() });
  for (const process of processes) {
    await updateProcess(tx, process.guid, {
      version: controller.random.guid(),
      droplet_guid: app.droplet_guid,
      revision_guid: revision,
    });
  }
  return updateApp(tx, app.guid, { state: 'STARTED' });
}

/** Marks an app as stopped. */
export function stopApp(tx: ControllerTx, app: AppRow): Promise<AppRow> {
  return updateApp(tx, app.guid, { state: 'STOPPED' });
}

/**
 * Makes a droplet the app's current one, with a process for each of its types; takes effect with the next start.
 *
 * @throws PlatformError 422 when it is not a staged droplet of this app
 */
export async function assignDroplet(
  controller: Controller,
  tx: ControllerTx,
  options: { app: AppRow; dropletGuid: string },
): Promise<AppRow> {
  const { app, dropletGuid } = options;
  const droplet = await getDroplet(tx, dropletGuid).catch((error: unknown) => {
    if (error instanceof PlatformError) return undefined;
    throw error;
  });
  if (droplet?.app_guid !== app.guid || droplet.state !== 'STAGED') {
    throw new PlatformError(
      'UnprocessableEntity',
      'Unable to assign current droplet. Ensure the droplet exists and belongs to this app.',
    );
  }
  const processes = await listProcessesOf(tx, app.guid);
  const types = new Set(['web', ...Object.keys(droplet.process_types)]);
  for (const type of types) {
    if (!processes.some((process) => process.type === type)) {
      await insertProcess(tx, newProcess(controller, { appGuid: app.guid, type }));
    }
  }
  // One with a command of its own, given by a manifest, needs no droplet to say how it is started.
  const obsolete = processes.filter((process) => !types.has(process.type) && process.command === null);
  for (const process of obsolete) await deleteProcess(tx, process.guid);
  return updateApp(tx, app.guid, { droplet_guid: dropletGuid });
}

/** A process with the defaults of its type. */
export function newProcess({ config, random }: Controller, options: { appGuid: string; type: string; guid?: string }) {
  const isWeb = options.type === 'web';
  return {
    guid: options.guid ?? random.guid(),
    app_guid: options.appGuid,
    type: options.type,
    command: null,
    instances: isWeb ? 1 : 0,
    memory_in_mb: config.controller.defaultMemoryMb,
    disk_in_mb: config.controller.defaultDiskMb,
    log_rate_limit_in_bytes_per_second: -1,
    health_type: isWeb ? ('port' as const) : ('process' as const),
    readiness_type: 'process' as const,
    version: random.guid(),
  };
}

/** What a process would use of a quota. */
export function demandOf(
  process: Pick<ProcessRow, 'instances' | 'memory_in_mb' | 'log_rate_limit_in_bytes_per_second'>,
): QuotaDemand {
  return {
    memoryMb: process.memory_in_mb,
    instances: process.instances,
    logRateBytesS: process.log_rate_limit_in_bytes_per_second,
  };
}

/**
 * Checks that the organization's quota allows these processes, all of which are counted as started.
 *
 * @throws PlatformError 422 naming every limit that would be exceeded
 */
export async function checkQuota(
  tx: ControllerTx,
  options: { app: AppRow; processes: readonly QuotaDemand[]; exceptApp?: string; exceptProcess?: string },
): Promise<void> {
  const { organization } = await getAppPlace(tx, options.app.space_guid);
  await lockOrganizationUsage(tx, organization.guid);
  const quota = await getOrganizationQuota(tx, organization.quotaGuid);
  const limits = {
    totalMemoryMb: quota.total_memory_in_mb,
    processMemoryMb: quota.per_process_memory_in_mb,
    totalInstances: quota.total_instances,
    logRateBytesS: quota.log_rate_limit_in_bytes_per_second,
  };
  const owner = `organization '${organization.name}'`;
  const { exceptApp, exceptProcess } = options;
  let used = await readUsage(tx, {
    organizationGuid: organization.guid,
    ...(exceptApp === undefined ? {} : { exceptApp }),
    ...(exceptProcess === undefined ? {} : { exceptProcess }),
  });
  for (const demand of options.processes) {
    const errors = quotaErrors(demand, { organization: { owner, limits, othersUse: used } });
    if (errors.length > 0) throw new PlatformError('UnprocessableEntity', errors.join(', '));
    used = {
      memoryMb: used.memoryMb + demand.memoryMb * demand.instances,
      instances: used.instances + demand.instances,
      logRateBytesS: used.logRateBytesS + Math.max(0, demand.logRateBytesS) * demand.instances,
    };
  }
}
