import { readFile, writeFile } from 'node:fs/promises';
import { exec } from '../../platform/exec.ts';
import type { Random } from '../../platform/random.ts';
import { ContainerError, type Egress, type PortMapping } from '../container.ts';
import { type AddressRange, addressText } from './addresses.ts';
import type { Assembly } from './assemble.ts';
import type { Names } from './naming.ts';
import { hostBatch, hostText, insideText, removeVethsText } from './network-commands.ts';
import { NetworkRules } from './network-rules.ts';
import type { NetworkMember, TableInput } from './nft-rules.ts';

const FORWARDING = '/proc/sys/net/ipv4/ip_forward';

export type NetworkOptions = {
  readonly names: Names;
  readonly table: TableInput;
  /** This pool's share of the addresses; the first is not used. */
  readonly addresses: AddressRange;
  readonly hostPorts: { readonly first: number; readonly last: number };
  readonly random: Random;
};

/** The number of a container's device, rules and address. */
export type Slot = { readonly slot: number; readonly address: string };

/** The containers' network: slots are handed out, ports mapped, rules kept. */
export class Network {
  readonly #options: NetworkOptions;
  readonly #rules: NetworkRules;
  readonly #slots = new Set<number>();
  readonly #ports = new Set<number>();
  #nextSlot: number;
  #nextPort: number;

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.#rules = new NetworkRules(options.table);
    // A successor begins elsewhere, so that an address is not used again while somebody may remember it.
    this.#nextSlot = options.random.pick(this.#slotCount);
    this.#nextPort = options.random.pick(this.#portCount);
  }

  /** Puts the rules of these containers in place of all others; those made ahead have an address, but no rules yet. */
  async open(members: readonly NetworkMember[], ahead: readonly NetworkMember[] = []): Promise<void> {
    if ((await readFile(FORWARDING, 'utf8')).trim() !== '1') await writeFile(FORWARDING, '1');
    for (const member of [...members, ...ahead]) this.#own(member);
    await this.#rules.open(members);
  }

  /** Slots that belong to this engine now. */
  isUsed(slot: number): boolean {
    return this.#slots.has(slot);
  }

  /** An address and host ports for a container; given back by `release`. */
  take(containerPorts: readonly number[]): Slot & { readonly ports: PortMapping[] } {
    const ports = this.takePorts(containerPorts);
    try {
      return { ...this.#takeSlot(), ports };
    } catch (error) {
      this.#givePorts(ports);
      throw error;
    }
  }

  /** Host ports for a container that has its address. */
  takePorts(containerPorts: readonly number[]): PortMapping[] {
    const ports: PortMapping[] = [];
    try {
      for (const containerPort of containerPorts) ports.push({ containerPort, hostPort: this.#takePort() });
      return ports;
    } catch (error) {
      this.#givePorts(ports);
      throw error;
    }
  }

  attach(member: NetworkMember): Promise<void> {
    return this.#rules.add(member);
  }

  /** Puts the rules back if somebody else removed them, a firewall that was loaded anew for one; true when so. */
  async restore(): Promise<boolean> {
    if ((await readFile(FORWARDING, 'utf8')).trim() !== '1') await writeFile(FORWARDING, '1');
    return this.#rules.restore();
  }

  /** What connects the network of a container's process. */
  connection({ slot, address }: Slot, pid: number): Required<Assembly>['connect'] {
    return { pid, outer: hostText(this.#options.names.veth(slot), address, pid), inner: insideText(address) };
  }

  setEgress(slot: number, egress: readonly Egress[]): Promise<void> {
    return this.#rules.setEgress(slot, egress);
  }

  /** Takes back rules, ports, device and address of a container, or what is there of them. */
  async release(member: NetworkMember): Promise<void> {
    await this.#rules.remove(member);
    await this.removeVeths([member.slot]);
    this.#slots.delete(member.slot);
    this.#givePorts(member.ports);
  }

  /** The kernel removes a veth with the container's network, but takes its time. */
  async removeVeths(slots: readonly number[]): Promise<void> {
    if (slots.length === 0) return;
    // With -force it goes on behind what is not there, and says so with exit code 1.
    const input = removeVethsText(this.#options.names, slots);
    await exec([...hostBatch, '-force'], { input, okCodes: [0, 1] });
  }

  /** Removes the rules of slots that belong to none of these; tells which. */
  async removeOrphanRules(members: readonly NetworkMember[]): Promise<string[]> {
    const orphans = (await this.#rules.list()).filter(
      ({ slot }) => !members.some((member) => member.slot === slot) && !this.isUsed(slot),
    );
    for (const { slot, portsOf } of orphans) {
      const address = this.#addressOf(slot);
      await this.#rules.remove({ slot, address, ports: portsOf(address), egress: [] });
    }
    return orphans.map(({ slot }) => `rules of ${this.#options.names.veth(slot)}`);
  }

  #own(member: NetworkMember): void {
    this.#slots.add(member.slot);
    for (const { hostPort } of member.ports) this.#ports.add(hostPort);
  }

  #takeSlot(): Slot {
    for (let tried = 0; tried < this.#slotCount; tried++) {
      const slot = this.#nextSlot++ % this.#slotCount;
      if (this.#slots.has(slot)) continue;
      this.#slots.add(slot);
      return { slot, address: this.#addressOf(slot) };
    }
    throw new ContainerError(
      'no-free-address',
      `all ${this.#slotCount} container addresses are taken; widen the network in the configuration`,
    );
  }

  #addressOf(slot: number): string {
    return addressText(this.#options.addresses.first + 1 + slot);
  }

  #givePorts(ports: readonly PortMapping[]): void {
    for (const { hostPort } of ports) this.#ports.delete(hostPort);
  }

  #takePort(): number {
    const { first, last } = this.#options.hostPorts;
    for (let tried = 0; tried < this.#portCount; tried++) {
      const port = first + (this.#nextPort++ % this.#portCount);
      if (this.#ports.has(port)) continue;
      this.#ports.add(port);
      return port;
    }
    throw new ContainerError('no-free-port', `all host ports from ${first} to ${last} are taken; widen the range`);
  }

  get #slotCount(): number {
    return this.#options.addresses.last - this.#options.addresses.first - 1;
  }

  get #portCount(): number {
    return this.#options.hostPorts.last - this.#options.hostPorts.first + 1;
  }
}
