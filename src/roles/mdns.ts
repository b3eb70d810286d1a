import { hostname } from 'node:os';
import type { Bus } from '../bus/bus.ts';
import { componentPart } from '../bus/component.ts';
import { isOnLink } from '../core/mdns.ts';
import { localName } from '../core/mdns-name.ts';
import { MulticastLink } from '../mdns/link.ts';
import { Publisher } from '../mdns/publisher.ts';
import { Responder } from '../mdns/responder.ts';
import type { Boot } from '../platform/config.ts';
import { part } from '../platform/lifecycle.ts';
import type { Role } from './role.ts';

/** Answers for a micro cloud's host names on the local network. */
export const mdns: Role = (boot, bus) => {
  const publisher = buildPublisher(boot, bus);
  return [
    part('mdns', async () => {
      await publisher.start();
      return () => publisher.stop();
    }),
    componentPart({ type: 'Mdns', bus, boot, varz: () => publisher.varz(), unwell: () => publisher.unwell() }),
  ];
};

function buildPublisher({ config, log, clock }: Boot, bus: Bus): Publisher {
  const { domain } = config.cluster;
  const [address = '', bits = '32'] = config.fence.network.split('/');
  const containers = { address, netmask: netmaskOf(Number(bits)) };
  const link = new MulticastLink({ log, clock, isWanted: (face) => !isOnLink(face.address, containers) });
  const responder = new Responder({ link, clock, log });
  const name = localName({ setting: config.mdns.name, domain, machine: hostname() });
  return new Publisher({ bus, clock, log, responder, name, domain, pruneS: config.router.pruneS });
}

function netmaskOf(bits: number): string {
  return [24, 16, 8, 0].map((shift) => ((2 ** 32 - 2 ** (32 - bits)) / 2 ** shift) & 255).join('.');
}
