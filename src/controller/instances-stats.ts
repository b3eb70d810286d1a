import type { ReplyOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import type { Controller } from './api/controller.ts';
import { formatTime } from './api/timestamp.ts';
import { FDS } from './apply-change-launch.ts';
import type { InstanceDirectory, InstanceView } from './instances.ts';
import type { StatedProcess } from './store/process.ts';

type Found = ReplyOf<typeof subjects.deaFindDroplet>;

const MB = 1024 * 1024;

/** One entry per desired instance: its state from heartbeats, its usage asked from the DEA where it runs. */
export async function readStats(controller: Controller, instances: InstanceDirectory, process: StatedProcess) {
  if (process.app_state !== 'STARTED') return [];
  const views = instances.view(process.guid, process.version, process.instances);
  const expected = views.filter(({ state }) => state === 'RUNNING').length;
  const found = expected === 0 ? [] : await askDeas(controller, process, expected);
  const byInstance = new Map(found.map((reply) => [reply.instance, reply]));
  return views.map((view) => {
    const reply = view.instance === undefined ? undefined : byInstance.get(view.instance);
    return presentInstance(controller, process, { view, reply });
  });
}

function askDeas({ bus, config }: Controller, process: StatedProcess, expected: number): Promise<Found[]> {
  return bus.request(
    subjects.deaFindDroplet,
    [],
    { droplet: process.guid, version: process.version, states: ['RUNNING'], include_stats: true },
    { timeoutMs: config.controller.findDropletTimeoutMs, expected },
  );
}

function presentInstance(
  controller: Controller,
  process: StatedProcess,
  { view, reply }: { view: InstanceView; reply: Found | undefined },
) {
  const stats = reply?.stats;
  const isRunning = view.state === 'RUNNING';
  const usage = stats?.usage;
  const port = stats && stats.port > 0 ? stats.port : undefined;
  return {
    type: process.type,
    index: view.index,
    instance_guid: view.instance ?? null,
    state: view.state,
    routable: isRunning,
    usage: usage
      ? {
          time: usage.time || formatTime(new Date(controller.clock.nowMs())),
          cpu: usage.cpu,
          cpu_entitlement: usage.cpu_entitlement ?? null,
          mem: usage.mem,
          disk: usage.disk,
          log_rate: 0,
        }
      : {},
    host: stats?.host ?? reply?.host_ip ?? '',
    instance_internal_ip: stats?.instance_ip ?? '',
    instance_ports:
      port === undefined
        ? []
        : [{ external: port, internal: 8080, external_tls_proxy_port: null, internal_tls_proxy_port: null }],
    uptime: stats?.uptime ?? (isRunning ? view.sinceS : 0),
    mem_quota: stats?.mem_quota ?? process.memory_in_mb * MB,
    disk_quota: stats?.disk_quota ?? process.disk_in_mb * MB,
    fds_quota: stats?.fds_quota ?? FDS,
    isolation_segment: null,
    log_rate_limit: process.log_rate_limit_in_bytes_per_second,
    details: view.details ?? null,
  };
}
