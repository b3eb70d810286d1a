import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { Static } from 'typebox';
import Type from 'typebox';
import { decode } from '../../contract/decode.ts';
import { EgressRule } from '../../contract/messages/dea.ts';
import { isMissing, readTextIfExists } from '../../platform/files.ts';
import type { ContainerInfo, ContainerState } from '../container.ts';
import { ID_OFFSET } from './id-ranges.ts';
import type { Layout } from './naming.ts';
import { namesIn } from './store.ts';

/**
 * How far a container got. What is found `creating`, `starting` or `destroying` without somebody at work on it was
 * interrupted.
 */
const Phase = Type.Union([
  // Made ahead, for nobody yet; its handle is its id.
  Type.Literal('ready'),
  Type.Literal('creating'),
  Type.Literal('created'),
  Type.Literal('starting'),
  Type.Literal('started'),
  Type.Literal('destroying'),
]);

/** What an engine writes down about a container, for itself and for its successor. */
export const ContainerRecord = Type.Object({
  handle: Type.String(),
  /** Its name on the machine: that of its folder, root, control group and runtime. The handle unless made ahead. */
  id: Type.String({ default: '' }),
  phase: Phase,
  /** The machine's boot; a container of an earlier one has ended. */
  bootId: Type.String(),
  slot: Type.Integer(),
  /** The host's id of its root user; the range after it is its own. */
  firstId: Type.Integer({ default: ID_OFFSET }),
  address: Type.String(),
  ports: Type.Array(Type.Object({ containerPort: Type.Integer(), hostPort: Type.Integer() })),
  egress: Type.Array(EgressRule),
  limits: Type.Object({
    memoryMb: Type.Number(),
    diskMb: Type.Number(),
    pids: Type.Integer(),
    fds: Type.Integer(),
  }),
  mounts: Type.Array(Type.Object({ source: Type.String(), destination: Type.String(), writable: Type.Boolean() }), {
    default: [],
  }),
  labels: Type.Record(Type.String(), Type.String()),
  createdAtMs: Type.Integer(),
  init: Type.Optional(Type.Object({ pid: Type.Integer(), startTicks: Type.String() })),
  conmonPid: Type.Optional(Type.Integer()),
  /** Whose its main process will be, once that is settled. */
  user: Type.Optional(Type.Object({ uid: Type.Integer(), gid: Type.Integer() })),
  /** What it was made from, if it was made ahead: one of other settings is of no use. */
  recipe: Type.Optional(Type.String()),
  exit: Type.Optional(Type.Object({ code: Type.Integer(), outOfMemory: Type.Boolean(), atMs: Type.Integer() })),
});

export type ContainerRecord = Static<typeof ContainerRecord>;

/**
 * Complete or not at all, but not flushed: after a power cut no container is left to remember.
 *
 * @returns false when the container's folder has gone
 */
export async function writeRecord(layout: Layout, record: ContainerRecord): Promise<boolean> {
  const path = layout.record(record.id);
  const unfinished = `${path}.${process.pid}`;
  try {
    await writeFile(unfinished, JSON.stringify(record), { mode: 0o600 });
    await rename(unfinished, path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/** Undefined when there is none, or when it was cut short before anything else was made. */
export async function readRecord(layout: Layout, id: string): Promise<ContainerRecord | undefined> {
  const text = await readTextIfExists(layout.record(id));
  if (!text) return undefined;
  return { ...decode(ContainerRecord, JSON.parse(text), layout.record(id)), id };
}

export async function readRecords(layout: Layout): Promise<ContainerRecord[]> {
  const ids = await namesIn(layout.containers);
  return (await Promise.all(ids.map(async (id) => (await readRecord(layout, id)) ?? []))).flat();
}

export async function removeRecord(layout: Layout, id: string): Promise<void> {
  await rm(layout.exit(id), { force: true });
  await rm(layout.folder(id), { recursive: true, force: true });
}

export function infoOf(record: ContainerRecord): ContainerInfo {
  return {
    handle: record.handle,
    state: stateOf(record),
    address: record.address,
    ports: record.ports,
    labels: record.labels,
    createdAtMs: record.createdAtMs,
    ...(record.exit ? { exit: record.exit } : {}),
  };
}

/** Was its main process let go, or is that under way? */
export function hasRun({ phase }: Pick<ContainerRecord, 'phase'>): boolean {
  return phase === 'starting' || phase === 'started';
}

function stateOf(record: ContainerRecord): ContainerState {
  if (record.exit || record.phase === 'destroying') return 'exited';
  return hasRun(record) ? 'running' : 'created';
}

/** Of this boot of the machine. */
export async function bootId(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}

/** When a process started, which tells it from a later one with its number; undefined when there is none. */
export async function startTicksOf(pid: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    // A process that has ended but was not collected yet is no process any more.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch (error) {
    if (isMissing(error) || (error instanceof Error && 'code' in error && error.code === 'ESRCH')) return undefined;
    throw error;
  }
}
