import { formatMb } from '../contract/units.ts';
import { placementZoneLabel } from '../core/placement.ts';
import type { Controller } from './api/controller.ts';
import { openEnvironment } from './app-environment.ts';
import type { AppRow } from './store/app.ts';
import { listAddresses, listProcessesOf, type ProcessRow } from './store/process.ts';

/** An app as a manifest would say it, with hyphen keys. */
export async function appAsManifest(controller: Controller, app: AppRow): Promise<Record<string, unknown>> {
  const env = openEnvironment(controller.box, app.env_sealed);
  const routes = await listAddresses(controller.db, app.guid);
  const processes = await listProcessesOf(controller.db, app.guid);
  const metadata = {
    ...(Object.keys(app.labels).length > 0 ? { labels: app.labels } : {}),
    ...(Object.keys(app.annotations).length > 0 ? { annotations: app.annotations } : {}),
  };
  return {
    name: app.name,
    lifecycle: 'buildpack',
    ...(app.buildpacks.length > 0 ? { buildpacks: app.buildpacks } : {}),
    stack: app.stack,
    ...(Object.keys(env).length > 0 ? { env } : {}),
    ...(Object.keys(app.features).length > 0 ? { features: app.features } : {}),
    ...(Object.keys(metadata).length > 0 ? { metadata } : {}),
    ...(routes.length > 0 ? { routes: routes.map(({ uri, protocol }) => ({ route: uri, protocol })) } : {}),
    processes: processes.map(processAsManifest),
  };
}

/** The same with the web process's keys at the top, as many manifests have them; for comparing. */
export function flatManifest(manifest: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const processes = (manifest.processes ?? []) as Record<string, unknown>[];
  const { type: _type, ...web } = processes.find(({ type }) => type === 'web') ?? {};
  const { labels } = (manifest.metadata ?? {}) as { labels?: Record<string, string> };
  const zone = labels?.[placementZoneLabel];
  return { ...web, ...manifest, ...(zone === undefined ? {} : { 'placement-zone': zone }) };
}

function processAsManifest(process: ProcessRow): Record<string, unknown> {
  const rate = process.log_rate_limit_in_bytes_per_second;
  return {
    type: process.type,
    instances: process.instances,
    memory: formatExact(process.memory_in_mb),
    'disk-quota': formatExact(process.disk_in_mb),
    'log-rate-limit-per-second': rate <= 0 ? rate : `${rate}B`,
    ...(process.command === null ? {} : { command: process.command }),
    ...(process.user_name === null ? {} : { user: process.user_name }),
    'health-check-type': process.health_type,
    ...(process.health_endpoint === null ? {} : { 'health-check-http-endpoint': process.health_endpoint }),
    ...(process.health_timeout === null ? {} : { timeout: process.health_timeout }),
    ...(process.health_invocation_timeout === null
      ? {}
      : { 'health-check-invocation-timeout': process.health_invocation_timeout }),
    ...(process.health_interval === null ? {} : { 'health-check-interval': process.health_interval }),
    'readiness-health-check-type': process.readiness_type,
    ...(process.readiness_endpoint === null
      ? {}
      : { 'readiness-health-check-http-endpoint': process.readiness_endpoint }),
  };
}

/** Without rounding, so that applying it again changes nothing. */
const formatExact = (mb: number) => (mb % 1024 === 0 ? formatMb(mb) : `${mb}M`);
