import type { Bus } from '../bus/bus.ts';
import { Registrant, type Registration } from '../bus/registrant.ts';
import { isRouted } from '../core/instance-state.ts';
import { instanceLinkName } from '../core/link-plan.ts';
import type { Clock } from '../platform/clock.ts';
import type { Instance } from './instance.ts';
import type { Registry } from './registry.ts';

type RoutesNode = {
  readonly id: string;
  readonly address: string;
  readonly availabilityZone: string;
  readonly isMicro?: boolean | undefined;
};

/** Keeps the routers told of what runs here. */
export class Routes implements AsyncDisposable {
  readonly #node: RoutesNode;
  readonly #linkPort: number;
  readonly #registrant: Registrant;
  #isLeaving = false;

  constructor(options: {
    bus: Bus;
    clock: Clock;
    intervalS: number;
    node: RoutesNode;
    /** Where other nodes reach the instances by TLS. */
    linkPort: number;
    registry: Registry;
  }) {
    this.#node = options.node;
    this.#linkPort = options.linkPort;
    const { bus, clock, intervalS, registry } = options;
    const registrations = () =>
      this.#isLeaving
        ? []
        : registry.list().flatMap((instance) => (isRouted(instance.state) ? this.registrationsOf(instance) : []));
    this.#registrant = new Registrant({ bus, clock, intervalS, registrations });
  }

  register(instance: Instance, uris = instance.uris): void {
    for (const one of this.registrationsOf(instance, uris)) this.#registrant.register(one);
  }

  unregister(instance: Instance, uris = instance.uris): void {
    for (const one of this.registrationsOf(instance, uris)) this.#registrant.unregister(one);
  }

  /** Takes new uris: says what came and what went. */
  update(instance: Instance, uris: readonly string[], protocols: Readonly<Record<string, string>>): void {
    const gone = instance.uris.filter((uri) => !uris.includes(uri));
    const isSame = (uri: string) => instance.uris.includes(uri) && instance.protocols[uri] === protocols[uri];
    const come = uris.filter((uri) => !isSame(uri));
    if (isRouted(instance.state)) this.unregister(instance, gone);
    instance.uris = uris;
    instance.protocols = protocols;
    if (isRouted(instance.state)) this.register(instance, come);
  }

  /** Leaves the routes as they are when this process ends: a successor takes over. */
  leave(): void {
    this.#isLeaving = true;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#registrant[Symbol.asyncDispose]();
  }

  /** On other nodes the plain port is for nobody: routers there go through this node's link, which proves who it is. */
  #linkOf(hostPort: number): Partial<Registration> {
    if (this.#node.isMicro) return {};
    return { tls_port: this.#linkPort, server_cert_domain_san: instanceLinkName(this.#node.id, hostPort) };
  }

  /** One registration for each protocol among the uris. */
  registrationsOf(instance: Instance, uris = instance.uris): Registration[] {
    const { placement, message } = instance;
    if (!placement) return [];
    const byProtocol = Map.groupBy(uris, (uri) => instance.protocols[uri] ?? 'http1');
    return [...byProtocol].map(([protocol, some]) => ({
      host: this.#node.address,
      port: placement.hostPort,
      ...this.#linkOf(placement.hostPort),
      ...(protocol === 'http1' ? {} : { protocol }),
      uris: some,
      app: instance.appGuid,
      tags: { ...message.x?.tags, component: 'dea', app_name: message.name, process_type: instance.processType },
      private_instance_id: instance.id,
      private_instance_index: String(message.index),
      availability_zone: this.#node.availabilityZone,
    }));
  }
}
