import { setTimeout as delay } from 'node:timers/promises';
import { admin, MicroCloud } from '../test/acceptance/micro-cloud.ts';
import { BenchApp } from './platform-app.ts';
import { Load } from './platform-load.ts';
import { residentBytes } from './platform-memory.ts';
import type { BenchRow } from './row.ts';

const RUNS = 3;
const INSTANCES = 20;
const SETTLE_MS = 20_000;
const WAIT_MS = 30_000;
const POLL_MS = 5;
const LOAD_BEFORE_MS = 500;
const LOAD_AFTER_MS = 2000;

/** A whole micro cloud in a network namespace of its own, set up for this and removed after it. */
export async function bench(): Promise<BenchRow[]> {
  await using cloud = await MicroCloud.open();
  return await measure(cloud);
}

/** Measures a micro cloud that is set up and has apps no others wait for. */
export async function measure(cloud: MicroCloud): Promise<BenchRow[]> {
  await logIn(cloud);
  using app = new BenchApp(cloud);
  const rows = [await startTime(cloud), await idleMemory(cloud), await pushTime(app), await scaleTime(app)];
  await app.scale(RUNS);
  await untilAnswered(app, RUNS);
  rows.push(await replacementTime(app));
  rows.push(...(await killed(cloud, app)), ...(await restarted(cloud, app)));
  return rows;
}

async function startTime(cloud: MicroCloud): Promise<BenchRow> {
  const times = await repeat(async () => {
    await kato(cloud, ['stop']);
    return timed(() => kato(cloud, ['start']));
  });
  return timeRow('kato start → every role READY', times, 10);
}

async function idleMemory(cloud: MicroCloud): Promise<BenchRow> {
  await delay(SETTLE_MS);
  const { stdout } = await cloud.node.run(['ip', 'netns', 'pids', cloud.node.name]);
  // Apps have networks of their own, so these are the platform's alone.
  const mb = (await residentBytes(stdout.split('\n').filter(Boolean).map(Number))) / 1_048_576;
  return {
    what: 'idle resident memory of the platform (PSS)',
    value: `${mb.toFixed(0)} MB`,
    target: '≤ 450 MB',
    ok: mb <= 450,
  };
}

async function pushTime(app: BenchApp): Promise<BenchRow> {
  await app.push();
  const times = await repeat(async () => {
    app.edit();
    const before = (await app.who())?.id;
    return timed(async () => {
      await app.push();
      await until(async () => {
        const id = (await app.who())?.id;
        return id !== undefined && id !== before;
      }, 'the pushed app did not answer');
    });
  });
  return timeRow('warm push of an app without dependencies → HTTP 200', times, 3);
}

async function scaleTime(app: BenchApp): Promise<BenchRow> {
  const times = await repeat(async () => {
    await app.scale(1);
    await until(async () => (await answering(app)).size === 1, 'still more than one instance answers');
    return timed(async () => {
      await app.scale(INSTANCES);
      await untilAnswered(app, INSTANCES);
    });
  });
  return timeRow(`scale 1 → ${INSTANCES} until all answered`, times, 3);
}

/** A different instance each time: one that crashes again and again is held back. */
async function replacementTime(app: BenchApp): Promise<BenchRow> {
  const times: number[] = [];
  for (let index = 0; index < RUNS; index++) {
    const before = await app.who();
    const old = new Map<number, string>();
    await until(async () => {
      const one = await app.who();
      if (one !== undefined) old.set(one.index, one.id);
      return old.has(index);
    }, `instance ${index} did not answer (${before?.index} did)`);
    const pid = await app.pidOf(index);
    times.push(
      await timed(async () => {
        process.kill(pid, 'SIGKILL');
        await until(async () => {
          const one = await app.who();
          return one?.index === index && one.id !== old.get(index);
        }, `no replacement of instance ${index} answered`);
      }),
    );
  }
  return timeRow('instance killed → its replacement answers', times, 1);
}

async function killed(cloud: MicroCloud, app: BenchApp): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const name of await processNames(cloud)) {
    rows.push(
      await underLoad(`kill -9 of ${name} at 200 req/s`, app, async () => {
        const { pid } = (await processes(cloud)).find((one) => one.name === name) ?? { pid: 0 };
        if (pid === 0) throw new Error(`${name} does not run`);
        process.kill(pid, 'SIGKILL');
        await until(async () => {
          const now = (await processes(cloud)).find((one) => one.name === name);
          return now?.ready === true && now.pid !== pid;
        }, `${name} did not come back`);
        await kato(cloud, ['process', 'ready', 'all', '--block', '60']);
      }),
    );
  }
  return rows;
}

async function restarted(cloud: MicroCloud, app: BenchApp): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const role of ['primary', 'controller', 'router', 'dea', 'stager', 'base']) {
    rows.push(
      await underLoad(`kato restart ${role} at 200 req/s`, app, async () => {
        await kato(cloud, ['restart', role]);
        await kato(cloud, ['process', 'ready', 'all', '--block', '60']);
      }),
    );
  }
  return rows;
}

async function underLoad(what: string, app: BenchApp, disturb: () => Promise<void>): Promise<BenchRow> {
  const load = new Load(() => app.get());
  let tookMs = 0;
  try {
    await delay(LOAD_BEFORE_MS);
    tookMs = await timed(disturb);
    await delay(LOAD_AFTER_MS);
  } finally {
    await load.finish();
  }
  const { sent, failures } = await load.finish();
  const why = failures[0] === undefined ? '' : ` (${failures[0]})`;
  return {
    what,
    value: `${failures.length} of ${sent} failed in ${(tookMs / 1000).toFixed(1)} s${why}`,
    target: '0 failed',
    ok: failures.length === 0,
  };
}

async function logIn(cloud: MicroCloud): Promise<void> {
  for (const [args, input] of [
    [['target', `http://api.${cloud.domain}`], ''],
    [['login', admin.email, '--password-stdin'], admin.password],
  ] as const) {
    const { code, stderr } = await cloud.node.stackato(args, { input });
    if (code !== 0 && args[0] !== 'target') throw new Error(`stackato ${args[0]}: ${stderr}`);
  }
}

async function kato(cloud: MicroCloud, args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await cloud.node.kato(args);
  if (code !== 0) throw new Error(`kato ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}

type ProcessRow = { readonly name: string; readonly pid: number; readonly ready: boolean };

async function processes(cloud: MicroCloud): Promise<ProcessRow[]> {
  return JSON.parse(await kato(cloud, ['process', 'list', '--json']));
}

/** One name for each operating system process. */
async function processNames(cloud: MicroCloud): Promise<string[]> {
  const all = await processes(cloud);
  return all.filter(({ pid }, index) => all.findIndex((one) => one.pid === pid) === index).map(({ name }) => name);
}

async function answering(app: BenchApp): Promise<Set<number>> {
  const found = await Promise.all(Array.from({ length: 3 * INSTANCES }, () => app.who()));
  return new Set(found.flatMap((one) => (one === undefined ? [] : [one.index])));
}

async function untilAnswered(app: BenchApp, instances: number): Promise<void> {
  const seen = new Set<number>();
  await until(async () => {
    const one = await app.who();
    if (one !== undefined) seen.add(one.index);
    return seen.size === instances;
  }, `not all ${instances} instances answered`);
}

async function until(check: () => Promise<boolean>, failure: string): Promise<void> {
  const endMs = performance.now() + WAIT_MS;
  while (!(await check())) {
    if (performance.now() > endMs) throw new Error(`${failure} within ${WAIT_MS / 1000} s`);
    await delay(POLL_MS);
  }
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await act();
  return performance.now() - startedMs;
}

async function repeat(run: () => Promise<number>): Promise<number[]> {
  const times: number[] = [];
  for (let i = 0; i < RUNS; i++) times.push(await run());
  return times;
}

function timeRow(what: string, times: readonly number[], limitS: number): BenchRow {
  const sorted = times.map((ms) => ms / 1000).sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  const range = `${sorted[0]?.toFixed(2)} to ${sorted.at(-1)?.toFixed(2)}`;
  return { what, value: `${median.toFixed(2)} s (${range})`, target: `≤ ${limitS} s`, ok: median <= limitS };
}

if (import.meta.main) process.stdout.write(`${JSON.stringify(await bench(), null, 2)}\n`);
