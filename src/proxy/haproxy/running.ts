import type { Endpoint } from '../proxy.ts';
import type { AdminSocket } from './admin-socket.ts';
import type { filesOf } from './config-file.ts';
import { parseRouteValue, readTarget, type Slot } from './slot.ts';

const MAINTENANCE = 1;

/** What a running HAProxy says of itself. */
export type Running = { readonly pid: number; readonly description: string };

export async function identify(admin: AdminSocket): Promise<Running> {
  const info = await admin.query('show info');
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(info)?.[1]?.trim() ?? '';
  return { pid: Number(field('Pid')), description: field('description') };
}

/** Reads the routes, backends and servers of a running HAProxy. */
export async function readSlots(admin: AdminSocket, files: ReturnType<typeof filesOf>): Promise<Slot[]> {
  const slots = new Map<string, Slot>();
  for (const line of (await admin.query('show backend')).split('\n')) {
    const name = line.trim();
    if (name.startsWith('be_')) slots.set(name, blankSlot(name));
  }
  for (const [key, value] of await readMap(admin, files.routes)) {
    const { name, app } = parseRouteValue(value);
    const slot = slots.get(name);
    if (!slot) continue;
    Object.assign(slot, { uri: key.replace(/\/$/, ''), app, mapped: value });
  }
  for (const line of (await admin.query('show servers state')).split('\n')) addServer(line, slots);
  for (const [key, id] of await readMap(admin, files.instances)) {
    const slash = key.indexOf('/');
    const slot = slots.get(key.slice(0, slash));
    if (slot) readTarget(slot, key.slice(slash + 1), id);
  }
  return [...slots.values()];
}

function addServer(line: string, slots: ReadonlyMap<string, Slot>): void {
  const f = line.split(' ');
  const slot = slots.get(f[1] ?? '');
  if (!slot || f.length < 19) return;
  const endpoint: Endpoint = {
    id: f[3] ?? '',
    app: slot.app,
    host: f[4] ?? '',
    port: Number(f[18]),
    index: '',
    protocol: 'http1',
  };
  const isLeaving = slot.uri === undefined || (Number(f[6]) & MAINTENANCE) !== 0;
  slot.servers.set(endpoint.id, { endpoint, state: isLeaving ? 'leaving' : 'up' });
}

async function readMap(admin: AdminSocket, file: string): Promise<[string, string][]> {
  const lines = (await admin.query(`show map ${file}`)).split('\n');
  return lines.flatMap((line): [string, string][] => {
    const [, key, value] = line.trim().split(' ');
    return key && value ? [[key, value]] : [];
  });
}

function blankSlot(name: string): Slot {
  return { name, uri: undefined, app: '', mapped: undefined, servers: new Map(), targets: new Map() };
}
