import { PlatformError } from '../contract/errors.ts';
import type { ManifestApp } from '../core/manifest.ts';
import type { ManifestProcess } from '../core/manifest-process.ts';
import type { Controller, ControllerTx } from './api/controller.ts';
import { metadataColumns } from './api/metadata.ts';
import { mergeEnvironment, openEnvironment, sealEnvironment } from './app-environment.ts';
import { newProcess } from './app-life.ts';
import { checkBuildpacks } from './build-choice.ts';
import { mergeFeatures } from './feature-merge.ts';
import type { ManifestContext } from './manifest-context.ts';
import { applyManifestRoutes } from './manifest-routes.ts';
import { checkColumns, patchProcess, scaleProcess } from './process-change.ts';
import { type AppRow, isStackKnown, updateApp } from './store/app.ts';
import { insertProcess, listProcessesOf, type ProcessRow } from './store/process.ts';

/**
 * Brings an app in line with its part of a manifest; what the manifest does not name stays.
 *
 * @throws PlatformError for the first thing that can't be done
 */
export async function applyManifestApp(
  context: ManifestContext,
  tx: ControllerTx,
  change: { readonly app: AppRow; readonly manifest: ManifestApp },
): Promise<void> {
  const { controller, caller } = context;
  const { app, manifest } = change;
  refuseUnsupported(manifest);
  if (manifest.buildpacks) await checkBuildpacks(tx, manifest.buildpacks);
  if (manifest.stack !== undefined && !(await isStackKnown(tx, manifest.stack))) {
    throw new PlatformError('UnprocessableEntity', 'Stack must be an existing stack');
  }
  const env = openEnvironment(controller.box, app.env_sealed);
  const now = await updateApp(tx, app.guid, {
    ...(manifest.buildpacks ? { buildpacks: JSON.stringify(manifest.buildpacks) } : {}),
    ...(manifest.stack === undefined ? {} : { stack: manifest.stack }),
    ...(isNews(env, manifest.env)
      ? { env_sealed: sealEnvironment(controller.box, mergeEnvironment(env, manifest.env ?? {})) }
      : {}),
    features: JSON.stringify(mergeFeatures(app.features, manifest.features)),
    ...metadataColumns({ labels: { ...manifest.labels }, annotations: { ...manifest.annotations } }, app),
  });
  const processes = await listProcessesOf(tx, app.guid);
  for (const wanted of manifest.processes) {
    const process =
      processes.findLast(({ type }) => type === wanted.type) ??
      (await insertProcess(tx, newProcess(controller, { appGuid: app.guid, type: wanted.type })));
    await applyProcess(controller, tx, { app: now, process, wanted, isAdmin: caller.isAdmin });
  }
  await applyManifestRoutes(context, tx, { app: now, manifest });
}

function refuseUnsupported(manifest: ManifestApp): void {
  const refuse = (detail: string) => {
    throw new PlatformError('UnprocessableEntity', detail);
  };
  if (manifest.docker || manifest.lifecycle === 'docker') {
    refuse('Docker cannot be configured for a buildpack lifecycle app.');
  }
  if (manifest.lifecycle === 'cnb') refuse('The cnb lifecycle is not supported yet on this platform.');
  const [service] = manifest.services;
  if (service) refuse(`Service instance '${service.name}' not found`);
  if (manifest.sidecars.length > 0) refuse('Sidecars are not supported yet on this platform.');
}

/** A sealed value changes with each writing, so it is written only when a variable did. */
function isNews(now: Readonly<Record<string, unknown>>, wanted: Readonly<Record<string, string>> | undefined): boolean {
  return Object.entries(wanted ?? {}).some(([key, value]) => now[key] !== value);
}

async function applyProcess(
  controller: Controller,
  tx: ControllerTx,
  change: { app: AppRow; process: ProcessRow; wanted: ManifestProcess; isAdmin: boolean },
): Promise<void> {
  const { app, process, wanted, isAdmin } = change;
  const { health, readiness } = wanted;
  const hasHealth = Object.keys(health).length > 0 || wanted.timeoutS !== undefined;
  const columns = checkColumns(process, {
    ...(wanted.command === undefined ? {} : { command: wanted.command }),
    ...(wanted.user === undefined ? {} : { user: wanted.user }),
    ...(hasHealth ? { health_check: checkPatch(health, wanted.timeoutS) } : {}),
    ...(Object.keys(readiness).length > 0 ? { readiness_health_check: checkPatch(readiness) } : {}),
  });
  if (Object.keys(columns).length > 0) await patchProcess(tx, process, { columns });
  const scale = {
    ...(wanted.instances === undefined ? {} : { instances: wanted.instances }),
    ...(wanted.memoryMb === undefined ? {} : { memory_in_mb: wanted.memoryMb }),
    ...(wanted.diskMb === undefined ? {} : { disk_in_mb: wanted.diskMb }),
    ...(wanted.logRateBytesS === undefined ? {} : { log_rate_limit_in_bytes_per_second: wanted.logRateBytesS }),
  };
  const isChange = Object.entries(scale).some(([key, value]) => process[key as keyof typeof scale] !== value);
  if (isChange) await scaleProcess(controller, tx, { app, process, wanted: scale, isAdmin });
}

function checkPatch(check: ManifestProcess['health'], timeoutS?: number) {
  return {
    ...(check.type === undefined ? {} : { type: check.type }),
    data: {
      ...(timeoutS === undefined ? {} : { timeout: timeoutS }),
      ...(check.invocationTimeoutS === undefined ? {} : { invocation_timeout: check.invocationTimeoutS }),
      ...(check.intervalS === undefined ? {} : { interval: check.intervalS }),
      ...(check.endpoint === undefined ? {} : { endpoint: check.endpoint }),
    },
  };
}
