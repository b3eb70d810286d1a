import Type from 'typebox';
import {
  adviseStart,
  type CrashReport,
  causeOfCrash,
  describeCrash,
  type StartedProcess,
} from '../../core/crash-cause.ts';
import type { Clock } from '../../platform/clock.ts';
import { type ApiClient, POLL_MS, query } from '../api/api-client.ts';
import { listProcesses, listStats } from '../api/apps.ts';
import type { LogLine } from '../api/logs.ts';
import { type App, AuditEvent, type Process, type Stat } from '../api/resources.ts';
import { ClientError, Interrupted, isApiError } from '../client-error.ts';
import type { Terminal } from '../terminal.ts';
import type { Patience } from './log-tail.ts';

export type Start = {
  readonly api: ApiClient;
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly heard: readonly LogLine[];
  readonly wasTold: (line: LogLine) => boolean;
  readonly settle: (patience: Patience) => Promise<void>;
  /** Crashes before this do not count; epoch, ms. */
  readonly sinceMs: number;
};

const DEFAULT_HEALTH_S = 60;
const MARGIN_MS = 30_000;
/** The platform restarts the first crashes at once, so that one crash is not yet a failure. */
const CRASHES_TO_FAIL = 2;
const CRASH_CHECK_MS = 1000;
const SLOW_REST_MS = 10_000;
/** What found no room is tried again every ten seconds, for instance once those before it have ended. */
const NO_ROOM_MS = 25_000;

/**
 * Waits until an app's instances prove healthy, telling how they fare.
 *
 * @throws ClientError with the cause when they don't
 */
export async function waitUntilRunning(start: Start, app: App): Promise<void> {
  const { api, signal } = start;
  const processes = (await listProcesses(api, app)).filter(({ instances }) => instances > 0);
  try {
    for (const process of processes) await waitForProcess(start, app, process);
  } catch (error) {
    if (!signal.aborted || error instanceof ClientError) throw error;
    throw new Interrupted(
      `${app.name} goes on starting at the server.`,
      `See how it fares: stackato app ${app.name}; stop it: stackato stop ${app.name}`,
    );
  }
}

async function waitForProcess(start: Start, app: App, process: Process): Promise<void> {
  const { api, clock, signal, terminal } = start;
  const healthS = process.health_check?.data?.timeout ?? DEFAULT_HEALTH_S;
  const giveUpAtMs = clock.nowMs() + healthS * 1000 + MARGIN_MS;
  let said = '';
  let firstRunningMs: number | undefined;
  let noRoomMs: number | undefined;
  let crashCheckMs = clock.nowMs() + CRASH_CHECK_MS;
  for (;;) {
    const stats = await listStats(api, process.guid);
    const running = stats.filter(({ state }) => state === 'RUNNING').length;
    const states = `${process.type}: ${describeStates(stats)}`;
    if (states !== said && (said !== '' || running < stats.length)) terminal.progress(states);
    said = states;
    if (running === stats.length) return;
    if (running > 0) firstRunningMs ??= clock.nowMs();
    if (firstRunningMs !== undefined && clock.nowMs() - firstRunningMs > SLOW_REST_MS) {
      terminal.note(`${states}; the rest goes on starting, see: stackato app ${app.name}`);
      return;
    }
    if (running === 0 && clock.nowMs() >= crashCheckMs) {
      crashCheckMs = clock.nowMs() + CRASH_CHECK_MS;
      const crashes = await listCrashes(start, app);
      const isCrashed = stats.every(({ state }) => state === 'CRASHED') && crashes.length > 0;
      if (isCrashed || crashes.length >= CRASHES_TO_FAIL) throw await failed(start, app, { process, stats, crashes });
    }
    const isRefused = stats.every(({ state, details }) => state === 'DOWN' && details);
    noRoomMs = isRefused ? (noRoomMs ?? clock.nowMs()) : undefined;
    if (noRoomMs !== undefined && clock.nowMs() - noRoomMs > NO_ROOM_MS) {
      throw await failed(start, app, { process, stats, crashes: [] });
    }
    if (clock.nowMs() > giveUpAtMs) {
      if (running > 0) return;
      throw await failed(start, app, { process, stats, crashes: await listCrashes(start, app) });
    }
    await clock.sleep(POLL_MS, signal);
  }
}

/** `1 of 2 running, 1 starting`. */
export function describeStates(stats: readonly Stat[]): string {
  const counts = new Map<string, number>();
  for (const { state } of stats) counts.set(state, (counts.get(state) ?? 0) + 1);
  const others = [...counts]
    .filter(([state]) => state !== 'RUNNING')
    .map(([state, n]) => `${n} ${state.toLowerCase()}`);
  return [`${counts.get('RUNNING') ?? 0} of ${stats.length} running`, ...others].join(', ');
}

async function listCrashes(start: Start, app: App): Promise<CrashReport[]> {
  const path = `/v3/audit_events${query({
    target_guids: app.guid,
    types: 'app.crash',
    order_by: '-created_at',
    per_page: 20,
    page: 1,
  })}`;
  try {
    const { resources } = await start.api.get(Type.Object({ resources: Type.Array(AuditEvent) }), path);
    // Events tell whole seconds.
    const sinceMs = Math.floor(start.sinceMs / 1000) * 1000;
    return resources.filter(({ created_at }) => Date.parse(created_at) >= sinceMs).map(({ data }) => crashOf(data));
  } catch (error) {
    if (isApiError(error, {})) return [];
    throw error;
  }
}

function crashOf(data: unknown): CrashReport {
  const fields = typeof data === 'object' && data !== null ? (data as Record<string, unknown>) : {};
  return {
    description: String(fields.exit_description ?? fields.reason ?? ''),
    status: typeof fields.exit_status === 'number' ? fields.exit_status : undefined,
  };
}

async function failed(
  start: Start,
  app: App,
  state: { process: Process; stats: readonly Stat[]; crashes: readonly CrashReport[] },
): Promise<ClientError> {
  const { process, stats, crashes } = state;
  await start.settle(crashes.length > 0 ? untilTold(start, crashes.length) : { quietMs: 300, mostMs: 2000 });
  const [crash] = crashes;
  const placement = stats.map(({ details }) => details).find((details) => details);
  const report = crash ?? (placement ? { description: placement, status: undefined } : undefined);
  const cause = report ? describeCrash(report) : `no instance became healthy (${describeStates(stats)})`;
  const said = start.heard.filter(({ source }) => /^(APP|CELL|HEALTH)/.test(source)).slice(-15);
  const news = said.filter((line) => start.terminal.isJson || !start.wasTold(line));
  const words = said.filter(({ source }) => source.startsWith('APP')).map(({ text }) => text);
  return new ClientError(`${app.name} did not start: ${cause}`, {
    details: news.map((line) => `  [${line.source}/${line.instance}] ${line.text}`),
    next: adviseStart(startedProcess(app, process), report && causeOfCrash(report), words),
  });
}

/** A DEA tells of a crash at once, and in the log below the last words, which it reads for two seconds at most. */
function untilTold({ heard }: Start, crashes: number): Patience {
  const isTold = ({ source, text }: LogLine) => source === 'CELL' && /^Instance \S+ crashed: /.test(text);
  return { quietMs: 2000, mostMs: 5000, isOver: () => heard.filter(isTold).length >= crashes };
}

function startedProcess(app: App, process: Process): StartedProcess {
  const type = process.health_check?.type;
  return {
    app: app.name,
    memoryMb: process.memory_in_mb,
    diskMb: process.disk_in_mb,
    check: type === 'http' || type === 'process' ? type : 'port',
    endpoint: process.health_check?.data?.endpoint ?? '/',
  };
}
