import { formatBytes, formatMb } from '../../contract/units.ts';
import type { ApiClient } from '../api/api-client.ts';
import { findCurrentDroplet, getProcess, listAppRoutes, listProcesses, listStats } from '../api/apps.ts';
import type { App, Stat } from '../api/resources.ts';
import type { Terminal } from '../terminal.ts';

export type AppSummary = Awaited<ReturnType<typeof summarize>>;

/** One app with all that is worth knowing of it. */
export async function summarize(api: ApiClient, app: App) {
  const [processes, routes, droplet] = await Promise.all([
    listProcesses(api, app),
    listAppRoutes(api, app),
    findCurrentDroplet(api, app),
  ]);
  const detailed = await Promise.all(
    processes.map(async ({ guid }) => {
      const [process, stats] = await Promise.all([getProcess(api, guid), listStats(api, guid)]);
      return { ...process, stats };
    }),
  );
  return {
    guid: app.guid,
    name: app.name,
    state: app.state,
    urls: routes.map(({ url }) => urlOf(api.target, url)),
    buildpacks: (droplet?.buildpacks ?? []).map(({ buildpack_name, name, detect_output, version }) =>
      [buildpack_name || name, version, detect_output].filter(Boolean).join(' '),
    ),
    stack: droplet?.stack ?? app.lifecycle.data.stack ?? undefined,
    staged_at: droplet?.created_at ?? undefined,
    processes: detailed
      .sort((a, b) => Number(b.type === 'web') - Number(a.type === 'web') || a.type.localeCompare(b.type))
      .map(({ guid, type, command, instances, memory_in_mb, disk_in_mb, stats }) => ({
        guid,
        type,
        command: command ?? undefined,
        instances,
        memory_in_mb,
        disk_in_mb,
        stats,
      })),
  };
}

/** A route as a URL that a browser takes: scheme and port as the target's. */
export function urlOf(target: string, route: string): string {
  const { protocol, port } = new URL(target);
  const [host = '', ...path] = route.split('/');
  const hasPort = port !== '' && !host.includes(':');
  return `${protocol}//${host}${hasPort ? `:${port}` : ''}${path.length > 0 ? `/${path.join('/')}` : ''}`;
}

export function showSummary(terminal: Terminal, summary: AppSummary): void {
  const line = (label: string, value: string) =>
    terminal.say(`${terminal.paint(`${label}:`.padEnd(12), 'bold')}${value}`);
  line('name', summary.name);
  line('state', summary.state.toLowerCase());
  line('urls', summary.urls.join(', ') || 'none');
  if (summary.buildpacks.length > 0) line('buildpacks', summary.buildpacks.join(', '));
  if (summary.stack !== undefined) line('stack', summary.stack);
  if (summary.staged_at !== undefined) line('staged', summary.staged_at);
  for (const process of summary.processes) {
    terminal.say();
    const running = process.stats.filter(({ state }) => state === 'RUNNING').length;
    line('process', `${process.type} ${running}/${process.instances}`);
    line('limits', `${formatMb(process.memory_in_mb)} memory, ${formatMb(process.disk_in_mb)} disk`);
    if (process.command !== undefined) line('command', process.command);
    if (process.stats.length > 0) {
      terminal.table(['#', 'state', 'since', 'cpu', 'memory', 'disk', 'details'], process.stats.map(statRow));
    }
  }
}

function statRow(stat: Stat): string[] {
  const { usage } = stat;
  const of = (used: number | null | undefined, quota: number | null | undefined) =>
    `${formatBytes(used ?? 0)} of ${quota == null ? '?' : formatBytes(quota)}`;
  return [
    `#${stat.index}`,
    stat.state.toLowerCase(),
    stat.state === 'RUNNING' ? formatAge(stat.uptime ?? 0) : '',
    `${((usage?.cpu ?? 0) * 100).toFixed(1)}%`,
    of(usage?.mem, stat.mem_quota),
    of(usage?.disk, stat.disk_quota),
    stat.details ?? '',
  ];
}

/** Seconds as `5s`, `3m`, `2h`, `4d`. */
export function formatAge(seconds: number): string {
  if (seconds < 120) return `${Math.floor(seconds)}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
