import { placeOf } from '../../core/route-table.ts';
import type { Endpoint, Pool, ProxyChange } from '../proxy.ts';
import type { filesOf } from './config-file.ts';
import { failedRules } from './failed-answer.ts';
import { bringUp, type EndpointTls, mannerOf, serverOf } from './server.ts';
import { endpointsOf, routeValue, type Slot, type SlotServer, wantedTargets } from './slot.ts';

/** What each backend has of its own. */
const RULES = [...failedRules, 'use-server %[var(txn.srv)] if { var(txn.srv) -m found }'].map((rule) => `  ${rule}`);

/** What to tell HAProxy, or that only a new configuration can do it. */
export type Plan = { readonly commands: readonly string[] } | { readonly reload: string };

type Touch = { slot: Slot; id: string; before: { state: SlotServer['state']; endpoint: Endpoint } | undefined };
type Batch = {
  readonly touched: Map<string, Touch>;
  readonly unmapped: Map<string, Slot>;
  /** Whose value in the map of routes may be another. */
  readonly routed: Set<Slot>;
  reload: string | undefined;
};

/** What HAProxy has: which route is in which backend, with which servers. Turns changes into commands. */
export class Slots {
  readonly #files: ReturnType<typeof filesOf>;
  #byUri = new Map<string, Slot>();
  #byName = new Map<string, Slot>();
  #free: string[] = [];
  #leaving = new Set<Slot>();
  readonly #tls: EndpointTls | undefined;

  constructor(files: ReturnType<typeof filesOf>, tls?: EndpointTls) {
    this.#files = files;
    this.#tls = tls;
  }

  /** Backends in all, and those without a route. */
  counts(): { size: number; free: number } {
    return { size: this.#byName.size + this.#free.length, free: this.#free.length };
  }

  /** The table as HAProxy has it. */
  pools(): Pool[] {
    return [...this.#byUri].map(([uri, slot]) => ({ uri, app: slot.app, endpoints: endpointsOf(slot) }));
  }

  /** Takes over the backends of a running HAProxy. */
  adopt(slots: readonly Slot[]): void {
    this.#clear();
    for (const slot of slots) {
      if (slot.uri === undefined && slot.servers.size === 0) {
        this.#free.push(slot.name);
        continue;
      }
      this.#byName.set(slot.name, slot);
      if (slot.uri !== undefined) this.#byUri.set(slot.uri, slot);
      if ([...slot.servers.values()].some(({ state }) => state === 'leaving')) this.#leaving.add(slot);
    }
  }

  /** Starts afresh with these routes in this many backends, for a new configuration. */
  reset(pools: readonly Pool[], size: number): void {
    this.#clear();
    for (let i = size - 1; i >= 0; i--) this.#free.push(`be_${String(i).padStart(5, '0')}`);
    const batch = newBatch();
    for (const { uri, app, endpoints } of pools) {
      this.#openRoute(uri, app, batch);
      for (const endpoint of endpoints) this.#putEndpoint(uri, endpoint, batch);
    }
    for (const slot of this.#byUri.values()) {
      slot.mapped = routeValue(slot);
      for (const [key, id] of wantedTargets(slot)) slot.targets.set(key, id);
    }
  }

  /** Follows changes, whatever HAProxy will say to it. */
  apply(changes: readonly ProxyChange[]): Plan {
    const batch = newBatch();
    for (const change of changes) this.#follow(change, batch);
    if (batch.reload !== undefined) return { reload: batch.reload };
    return { commands: this.#commands(batch) };
  }

  /** Servers that wait to be deleted, as [backend, server]. */
  leaving(): [string, string][] {
    return [...this.#leaving].flatMap((slot) =>
      [...slot.servers].filter(([, { state }]) => state === 'leaving').map(([id]): [string, string] => [slot.name, id]),
    );
  }

  /** HAProxy deleted a server; a backend without route and servers is blank again. */
  deleted(backend: string, id: string): void {
    const slot = this.#byName.get(backend);
    if (slot?.servers.get(id)?.state !== 'leaving') return;
    slot.servers.delete(id);
    if ([...slot.servers.values()].every(({ state }) => state !== 'leaving')) this.#leaving.delete(slot);
    this.#retire(slot);
  }

  /** The backends of the configuration and the content of the maps. */
  render(): { backends: string; routes: string; instances: string } {
    const backends: string[] = [];
    const routes: string[] = [];
    const instances: string[] = [];
    const blank = (name: string) => backends.push(`backend ${name} from app`, ...RULES);
    for (const name of this.#free) blank(name);
    for (const slot of this.#byName.values()) {
      blank(slot.name);
      for (const { endpoint, state } of slot.servers.values()) {
        if (state === 'up') backends.push(`  server ${endpoint.id} ${serverOf(endpoint, this.#tls)}`);
      }
      if (slot.uri !== undefined) routes.push(`${slot.uri}/ ${routeValue(slot)}`);
      for (const [key, id] of slot.targets) instances.push(`${slot.name}/${key} ${id}`);
    }
    const text = (lines: readonly string[]) => `${lines.join('\n')}\n`;
    return { backends: text(backends), routes: text(routes), instances: text(instances) };
  }

  #clear(): void {
    this.#byUri = new Map();
    this.#byName = new Map();
    this.#free = [];
    this.#leaving = new Set();
  }

  #follow(change: ProxyChange, batch: Batch): void {
    if (change.do === 'add-route') this.#openRoute(change.uri, change.app, batch);
    else if (change.do === 'remove-route') this.#closeRoute(change.uri, batch);
    else if (change.do === 'add-endpoint') this.#putEndpoint(change.uri, change.endpoint, batch);
    else this.#takeEndpoint(change.uri, change.endpoint.id, batch);
  }

  #openRoute(uri: string, app: string, batch: Batch): void {
    const known = this.#byUri.get(uri);
    if (known) {
      known.app = app;
      batch.routed.add(known);
      return;
    }
    const name = this.#free.pop();
    if (name === undefined) batch.reload = 'no blank backend is left';
    const slot: Slot = {
      name: name ?? `none_${uri}`,
      uri,
      app,
      mapped: undefined,
      servers: new Map(),
      targets: new Map(),
    };
    this.#byUri.set(uri, slot);
    this.#byName.set(slot.name, slot);
    batch.routed.add(slot);
  }

  #closeRoute(uri: string, batch: Batch): void {
    const slot = this.#byUri.get(uri);
    if (!slot) return;
    for (const id of slot.servers.keys()) this.#takeEndpoint(uri, id, batch);
    this.#byUri.delete(uri);
    slot.uri = undefined;
    batch.routed.delete(slot);
    if (slot.mapped !== undefined) batch.unmapped.set(uri, slot);
    slot.mapped = undefined;
    this.#retire(slot);
  }

  #putEndpoint(uri: string, endpoint: Endpoint, batch: Batch): void {
    const slot = this.#byUri.get(uri);
    if (!slot) return;
    touch(batch, slot, endpoint.id);
    const server = slot.servers.get(endpoint.id);
    if (server && mannerOf(server.endpoint) !== mannerOf(endpoint)) batch.reload = 'an endpoint changed its protocol';
    slot.servers.set(endpoint.id, { endpoint, state: 'up' });
  }

  #takeEndpoint(uri: string, id: string, batch: Batch): void {
    const slot = this.#byUri.get(uri);
    const server = slot?.servers.get(id);
    if (!slot || server?.state !== 'up') return;
    const { before } = touch(batch, slot, id);
    if (!before) {
      slot.servers.delete(id);
      return;
    }
    server.state = 'leaving';
    this.#leaving.add(slot);
  }

  #retire(slot: Slot): void {
    if (slot.uri !== undefined || slot.servers.size > 0) return;
    if (this.#byName.delete(slot.name)) this.#free.push(slot.name);
  }

  /** In an order in which no request finds less than before, and none an address that changed hands. */
  #commands(batch: Batch): string[] {
    const stages = { first: [] as string[], add: [] as string[], last: [] as string[] };
    const fresh = new Set<string>();
    for (const { slot, id, before } of batch.touched.values()) {
      const server = slot.servers.get(id);
      if (server?.state !== 'up') continue;
      const place = placeOf(server.endpoint);
      if (!before || placeOf(before.endpoint) !== place) fresh.add(place);
    }
    const slots = new Set<Slot>();
    for (const { slot, id, before } of batch.touched.values()) {
      slots.add(slot);
      batch.routed.add(slot);
      const server = slot.servers.get(id);
      if (server?.state === 'up') {
        stages.add.push(...bringUp(`${slot.name}/${id}`, { endpoint: server.endpoint, tls: this.#tls }, before));
      } else if (before?.state === 'up') {
        const stage = fresh.has(placeOf(before.endpoint)) ? stages.first : stages.last;
        stage.push(`set server ${slot.name}/${id} state maint`);
      }
    }
    const targets = [...slots].flatMap((slot) => this.#targetCommands(slot));
    return [...stages.first, ...stages.add, ...this.#mapCommands(batch), ...targets, ...stages.last];
  }

  #mapCommands(batch: Batch): string[] {
    const commands: string[] = [];
    const command = (verb: string, uri: string, value = '') =>
      commands.push(`${verb} map ${this.#files.routes} ${uri}/ ${value}`.trimEnd());
    for (const slot of batch.routed) {
      if (slot.uri === undefined) continue;
      const value = routeValue(slot);
      const isKnown = batch.unmapped.delete(slot.uri) || slot.mapped !== undefined;
      if (slot.mapped !== value) command(isKnown ? 'set' : 'add', slot.uri, value);
      slot.mapped = value;
    }
    for (const uri of batch.unmapped.keys()) command('del', uri);
    return commands;
  }

  #targetCommands(slot: Slot): string[] {
    const commands: string[] = [];
    const wanted = wantedTargets(slot);
    const say = (verb: string, key: string, id = '') =>
      commands.push(`${verb} map ${this.#files.instances} ${slot.name}/${key} ${id}`.trimEnd());
    for (const [key, id] of wanted) {
      if (slot.targets.get(key) !== id) say(slot.targets.has(key) ? 'set' : 'add', key, id);
      slot.targets.set(key, id);
    }
    for (const key of [...slot.targets.keys()]) {
      if (wanted.has(key)) continue;
      say('del', key);
      slot.targets.delete(key);
    }
    return commands;
  }
}

const newBatch = (): Batch => ({
  touched: new Map(),
  unmapped: new Map(),
  routed: new Set(),
  reload: undefined,
});

function touch(batch: Batch, slot: Slot, id: string): Touch {
  const key = `${slot.name}/${id}`;
  let found = batch.touched.get(key);
  if (!found) {
    const server = slot.servers.get(id);
    const before = server && { state: server.state, endpoint: server.endpoint };
    found = { slot, id, before };
    batch.touched.set(key, found);
  }
  return found;
}
