import { PlatformError } from '../contract/errors.ts';
import type { Controller, ControllerTx } from './api/controller.ts';
import { type MetadataPatch, metadataColumns } from './api/metadata.ts';
import { checkQuota } from './app-life.ts';
import type { AppRow } from './store/app.ts';
import type { CheckType } from './store/app-schema.ts';
import { hasActiveDeployment } from './store/deployment.ts';
import { isFeatureEnabled } from './store/feature-flag.ts';
import { type ProcessRow, type ProcessUpdate, updateProcess } from './store/process.ts';

/** A health or readiness check as a request changes it; null resets a value to its default. */
type CheckPatch = {
  readonly type?: CheckType;
  readonly data?: {
    readonly timeout?: number | null;
    readonly invocation_timeout?: number | null;
    readonly interval?: number | null;
    readonly endpoint?: string | null;
  };
};

export type ProcessPatch = {
  readonly command?: string | null;
  readonly user?: string | null;
  readonly health_check?: CheckPatch;
  readonly readiness_health_check?: CheckPatch;
};

const APP_USER = 'vcap';

/**
 * ProcessUpdate for a patch of a process's command, user and checks.
 *
 * @throws PlatformError 422 for a user that apps can't run as
 */
export function checkColumns(process: ProcessRow, patch: ProcessPatch): ProcessUpdate {
  const { health_check: health, readiness_health_check: readiness } = patch;
  if (patch.user !== undefined && patch.user !== null && patch.user !== APP_USER) {
    throw new PlatformError('UnprocessableEntity', `User must be '${APP_USER}': every app runs as this user`);
  }
  const healthType = health?.type ?? process.health_type;
  const readinessType = readiness?.type ?? process.readiness_type;
  return {
    ...(patch.command === undefined ? {} : { command: patch.command }),
    ...(patch.user === undefined ? {} : { user_name: patch.user }),
    ...(health
      ? {
          health_type: healthType,
          ...given('health_timeout', health.data?.timeout),
          ...given('health_invocation_timeout', health.data?.invocation_timeout),
          ...given('health_interval', health.data?.interval),
          ...(healthType === 'http' ? given('health_endpoint', health.data?.endpoint) : { health_endpoint: null }),
        }
      : {}),
    ...(readiness
      ? {
          readiness_type: readinessType,
          ...given('readiness_invocation_timeout', readiness.data?.invocation_timeout),
          ...given('readiness_interval', readiness.data?.interval),
          ...(readinessType === 'http'
            ? given('readiness_endpoint', readiness.data?.endpoint)
            : { readiness_endpoint: null }),
        }
      : {}),
  };
}

export async function patchProcess(
  tx: ControllerTx,
  process: ProcessRow,
  patch: { columns: ProcessUpdate; metadata?: MetadataPatch | undefined },
): Promise<void> {
  await updateProcess(tx, process.guid, { ...patch.columns, ...metadataColumns(patch.metadata, process) });
}

type Scale = Partial<
  Pick<ProcessRow, 'instances' | 'memory_in_mb' | 'disk_in_mb' | 'log_rate_limit_in_bytes_per_second'>
>;

/**
 * Changes the number and size of a process's instances.
 *
 * @throws PlatformError 422 for a size out of bounds or beyond the quota, 403 when scaling is switched off
 */
export async function scaleProcess(
  controller: Controller,
  tx: ControllerTx,
  options: { app: AppRow; process: ProcessRow; wanted: Scale; isAdmin: boolean },
): Promise<void> {
  const { app, process, wanted, isAdmin } = options;
  if (!isAdmin && !(await isFeatureEnabled(tx, 'app_scaling')))
    throw new PlatformError('FeatureDisabled', 'app_scaling');
  if (await hasActiveDeployment(tx, app.guid)) throw new PlatformError('ScaleDisabledDuringDeployment');
  checkScale(controller, wanted);
  const after = { ...process, ...wanted };
  if (app.state === 'STARTED') {
    const { memory_in_mb: memoryMb, instances, log_rate_limit_in_bytes_per_second: logRateBytesS } = after;
    await checkQuota(tx, { app, processes: [{ memoryMb, instances, logRateBytesS }], exceptProcess: process.guid });
  }
  await updateProcess(tx, process.guid, wanted);
}

const MOST = 2_147_483_647;
const bound = (mb = 0) => (mb > MOST ? `must be less than or equal to ${MOST}` : 'must be greater than 0');

/** @throws PlatformError 422 naming what is out of bounds */
export function checkScale({ config }: Pick<Controller, 'config'>, wanted: Scale): void {
  const { maxDiskMb } = config.controller;
  const faults: string[] = [];
  const isOff = (value: number | undefined, least: number) =>
    value !== undefined && !(Number.isSafeInteger(value) && value >= least && value <= MOST);
  if (isOff(wanted.instances, 0)) faults.push('Instances must be a number from 0 to 2147483647');
  if (isOff(wanted.memory_in_mb, 1)) faults.push(`Memory in mb ${bound(wanted.memory_in_mb)}`);
  if (isOff(wanted.disk_in_mb, 1)) faults.push(`Disk in mb ${bound(wanted.disk_in_mb)}`);
  if (wanted.disk_in_mb !== undefined && wanted.disk_in_mb > maxDiskMb) {
    faults.push(
      `Disk in mb too much disk requested (requested ${wanted.disk_in_mb} MB - must be less than ${maxDiskMb} MB)`,
    );
  }
  const rate = wanted.log_rate_limit_in_bytes_per_second;
  if (rate !== undefined && !(Number.isSafeInteger(rate) && rate >= -1)) {
    faults.push('Log rate limit in bytes per second must be greater than or equal to -1');
  }
  if (faults.length > 0) throw new PlatformError('UnprocessableEntity', faults.join(', '));
}

function given<K extends string>(key: K, value: string | number | null | undefined): Record<string, unknown> {
  return value === undefined ? {} : { [key]: value };
}
