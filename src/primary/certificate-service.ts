import Type, { type Static } from 'typebox';
import type { Bus } from '../bus/bus.ts';
import { decode } from '../contract/decode.ts';
import type { NodeCertificates } from '../contract/messages/cluster.ts';
import { subjects } from '../contract/subjects.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import type { SecretStore } from './store/secret-store.ts';

const NAME = 'certificates';
/** All of them travel in one message of the bus, which takes 1 MB. */
const MOST_BYTES = 750_000;
const Stored = Type.Object({ revision: Type.Integer(), pems: Type.Record(Type.String(), Type.String()) });

export type CertificateServiceOptions = {
  readonly bus: Bus;
  readonly secrets: SecretStore;
  /** A node's roles; none when the cluster has no such node. */
  readonly rolesOf: (nodeId: string) => Promise<readonly string[]>;
  readonly clock: Clock;
  readonly log: Log;
};

/** Keeps the certificates that were installed for domains, encrypted, and hands them to the nodes that serve them. */
export class CertificateService implements Disposable {
  readonly #options: CertificateServiceOptions;
  readonly #subscriptions: Disposable[];

  constructor(options: CertificateServiceOptions) {
    this.#options = options;
    const { bus } = options;
    this.#subscriptions = [
      bus.subscribe(subjects.certificateSet, [], async (wanted, message) => message.respond(await this.set(wanted)), {
        serial: true,
      }),
      bus.subscribe(subjects.certificateList, [], async (_empty, message) => {
        const { pems } = await this.#read();
        const all = Object.entries(pems).sort(([a], [b]) => a.localeCompare(b));
        const list = all.map(([domain, pem]) => ({ domain, certificate: withoutKey(pem) }));
        message.respond({ certificates: list });
      }),
      bus.subscribe(subjects.certificatesOf, ['*'], async (_empty, message) =>
        message.respond(await this.ofNode(message.subject.split('.')[2] ?? '')),
      ),
    ];
  }

  /** Installs a certificate; without one, takes away that of the domain. `was`: there was one. */
  async set({ domain, pem }: { domain: string; pem?: string }): Promise<{ was: boolean; refused?: string }> {
    const { secrets, clock, log } = this.#options;
    const { revision, pems } = await this.#read();
    const { [domain]: before, ...others } = pems;
    const was = before !== undefined;
    if (pem === before) return { was };
    const after = pem === undefined ? others : { ...others, [domain]: pem };
    const bytes = Object.values(after).reduce((sum, one) => sum + Buffer.byteLength(one), 0);
    if (pem !== undefined && bytes > MOST_BYTES) {
      return { was, refused: `with this one all certificates have ${bytes} bytes, and at most ${MOST_BYTES} are kept` };
    }
    const stored: Static<typeof Stored> = { revision: revision + 1, pems: after };
    await secrets.write(NAME, JSON.stringify(stored), new Date(clock.nowMs()));
    log.info(pem === undefined ? 'removed-certificate' : 'installed-certificate', { domain });
    await this.announce();
    return { was };
  }

  /** What a node is to serve: private keys go only where TLS ends. */
  async ofNode(nodeId: string): Promise<NodeCertificates> {
    const roles = await this.#options.rolesOf(nodeId);
    const { revision, pems } = await this.#read();
    const serves = roles.includes('router') || roles.includes('load_balancer');
    const certificates = serves ? Object.entries(pems).map(([domain, pem]) => ({ domain, pem })) : [];
    return { revision, certificates };
  }

  /** Tells every node to ask again; said at start too, because a change may have been missed. */
  async announce(): Promise<void> {
    this.#options.bus.publish(subjects.certificatesChanged, [], { revision: (await this.#read()).revision });
  }

  [Symbol.dispose](): void {
    for (const subscription of this.#subscriptions) subscription[Symbol.dispose]();
  }

  async #read(): Promise<Static<typeof Stored>> {
    const text = await this.#options.secrets.read(NAME);
    return text === undefined ? { revision: 0, pems: {} } : decode(Stored, JSON.parse(text), 'stored certificates');
  }
}

function withoutKey(pem: string): string {
  return (pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? []).join('\n');
}
