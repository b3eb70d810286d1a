import type { Answer, Packet } from 'dns-packet';
import { addressRecord, answerTo, givesWay, type HeardRecord, HOST_TTL_S, rivalsFor } from '../core/mdns.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { type Face, type Heard, type Link, MDNS_PORT } from './link.ts';

const TICK_MS = 250;
const PROBES = 3;
const GIVE_WAY_MS = 1000;
const ANNOUNCE_AGAIN_MS = 1000;
const TRY_AGAIN_MS = 30_000;
const PER_PACKET = 30;
const AUTHORITATIVE = 1 << 10;

type State =
  | { readonly is: 'probing'; readonly sent: number; readonly dueMs: number }
  | { readonly is: 'held'; readonly announceAtMs: number | undefined }
  | { readonly is: 'taken'; readonly by: string; readonly dueMs: number };

/**
 * Answers for names on the local network (RFC 6762). A name is asked for three times before it is ours; while somebody else has
 * it we are silent and ask again every half a minute.
 */
export class Responder {
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #names = new Map<string, State>();
  /** Interface and name → when it was last told to everybody. */
  readonly #told = new Map<string, number>();
  #timer: Disposable | undefined;

  constructor({ link, clock, log }: { readonly link: Link; readonly clock: Clock; readonly log: Log }) {
    this.#link = link;
    this.#clock = clock;
    this.#log = log;
  }

  async start(names: readonly string[]): Promise<void> {
    this.want(names);
    await this.#link.open({ onHeard: (heard) => this.#hear(heard), onFaces: () => this.#probeAll() });
    this.#timer = this.#clock.every(TICK_MS, () => this.#tick());
  }

  /** Takes leave of every name, so that nobody keeps it for minutes. */
  async stop(): Promise<void> {
    this.#timer?.[Symbol.dispose]();
    this.#goodbye([...this.#names.keys()].filter((name) => this.#isHeld(name)));
    await this.#link.close();
  }

  /** Answers for exactly these names from now on. */
  want(names: readonly string[]): void {
    const wanted = new Set(names.map((name) => name.toLowerCase()));
    const gone = [...this.#names.keys()].filter((name) => !wanted.has(name));
    this.#goodbye(gone.filter((name) => this.#isHeld(name)));
    for (const name of gone) this.#names.delete(name);
    for (const name of wanted) if (!this.#names.has(name)) this.#probe(name);
  }

  held(): string[] {
    return [...this.#names.keys()].filter((name) => this.#isHeld(name));
  }

  /** Names that another machine has, with its address. */
  taken(): { name: string; by: string }[] {
    return [...this.#names].flatMap(([name, state]) => (state.is === 'taken' ? [{ name, by: state.by }] : []));
  }

  isProbing(): boolean {
    return [...this.#names.values()].some(({ is }) => is === 'probing');
  }

  #isHeld(name: string): boolean {
    return this.#names.get(name)?.is === 'held';
  }

  #probe(name: string, inMs = 0): void {
    this.#names.set(name, { is: 'probing', sent: 0, dueMs: this.#clock.nowMs() + inMs });
  }

  #probeAll(): void {
    for (const name of this.#names.keys()) this.#probe(name);
  }

  #tick(): void {
    const nowMs = this.#clock.nowMs();
    const probes: string[] = [];
    const announcements: string[] = [];
    for (const [name, state] of this.#names) {
      if (state.is === 'held') {
        if (state.announceAtMs === undefined || state.announceAtMs > nowMs) continue;
        announcements.push(name);
        this.#names.set(name, { is: 'held', announceAtMs: undefined });
      } else if (state.dueMs > nowMs) continue;
      else if (state.is === 'taken') this.#probe(name);
      else if (state.sent < PROBES) {
        probes.push(name);
        this.#names.set(name, { is: 'probing', sent: state.sent + 1, dueMs: nowMs + TICK_MS });
      } else {
        announcements.push(name);
        this.#names.set(name, { is: 'held', announceAtMs: nowMs + ANNOUNCE_AGAIN_MS });
      }
    }
    this.#sendProbes(probes);
    this.#announce(announcements, HOST_TTL_S);
  }

  #sendProbes(names: readonly string[]): void {
    for (const face of this.#link.faces()) {
      for (const some of inBatches(names)) {
        this.#link.send(face, {
          type: 'query',
          questions: some.map((name) => ({ name, type: 'ANY' as never, class: 'IN' as const })),
          authorities: some.map((name): Answer => addressRecord(name, face.address, HOST_TTL_S, false)),
        });
      }
    }
  }

  #announce(names: readonly string[], ttl: number): void {
    for (const face of this.#link.faces()) {
      for (const some of inBatches(names)) {
        const answers = some.map((name): Answer => addressRecord(name, face.address, ttl));
        this.#link.send(face, { type: 'response', flags: AUTHORITATIVE, answers });
      }
      for (const name of names) this.#told.set(`${face.address} ${name}`, this.#clock.nowMs());
    }
  }

  #goodbye(names: readonly string[]): void {
    this.#announce(names, 0);
    for (const face of this.#link.faces()) for (const name of names) this.#told.delete(`${face.address} ${name}`);
  }

  #hear(heard: Heard): void {
    const { packet, from } = heard;
    if (packet.type === 'response') {
      if (from.port === MDNS_PORT) this.#notice([...(packet.answers ?? []), ...(packet.additionals ?? [])]);
    } else {
      this.#yield(heard.face, (packet.authorities ?? []) as HeardRecord[]);
      this.#answer(heard);
    }
  }

  /** Somebody else says that a name is theirs. */
  #notice(records: readonly HeardRecord[]): void {
    const ours = this.#link.faces().map(({ address }) => address);
    for (const [name, state] of this.#names) {
      const [rival] = rivalsFor(name, records, ours);
      if (rival === undefined || state.is === 'taken') continue;
      if (state.is === 'held') this.#probe(name);
      else {
        this.#log.warn('found-name-taken', { name, by: rival });
        this.#names.set(name, { is: 'taken', by: rival, dueMs: this.#clock.nowMs() + TRY_AGAIN_MS });
      }
    }
  }

  /** Somebody else is about to take a name that we are about to take. */
  #yield(face: Face, proposed: readonly HeardRecord[]): void {
    const ours = this.#link.faces().map(({ address }) => address);
    for (const [name, state] of this.#names) {
      if (state.is !== 'probing') continue;
      if (givesWay(face.address, rivalsFor(name, proposed, ours))) this.#probe(name, GIVE_WAY_MS);
    }
  }

  #answer({ packet, face, from }: Heard): void {
    const questions = packet.questions ?? [];
    const isLegacy = from.port !== MDNS_PORT;
    const query = { questions, known: (packet.answers ?? []) as HeardRecord[], isLegacy };
    const isProbe = (packet.authorities ?? []).length > 0;
    const has = (name: string) => this.#isHeld(name) && (isLegacy || isProbe || !this.#wasToldNow(face, name));
    const reply = answerTo(query, { has, address: face.address });
    if (reply === undefined) return;
    const response: Packet = { type: 'response', flags: AUTHORITATIVE, ...reply };
    if (isLegacy) {
      this.#link.send(face, { ...response, id: packet.id, questions }, { address: from.address, port: from.port });
      return;
    }
    this.#link.send(face, response);
    for (const { type, name } of reply.answers) {
      if (type === 'A') this.#told.set(`${face.address} ${name}`, this.#clock.nowMs());
    }
  }

  /** Everybody heard the answer less than a second ago. */
  #wasToldNow(face: Face, name: string): boolean {
    return this.#clock.nowMs() - (this.#told.get(`${face.address} ${name}`) ?? 0) < 1000;
  }
}

function inBatches(names: readonly string[]): string[][] {
  return Array.from({ length: Math.ceil(names.length / PER_PACKET) }, (_, i) =>
    names.slice(i * PER_PACKET, (i + 1) * PER_PACKET),
  );
}
