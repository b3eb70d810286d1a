import { exec } from '../../platform/exec.ts';
import type { Egress, PortMapping } from '../container.ts';
import { failure } from './failure.ts';
import { egressText, memberText, type NetworkMember, removalText, type TableInput, tableText } from './nft-rules.ts';

/**
 * A pool's table in the kernel, and what should be in it: a machine's firewall that is loaded anew begins by flushing
 * every rule there is, and containers would be reachable no longer, and held back by nothing.
 */
export class NetworkRules {
  readonly #input: TableInput;
  readonly #members = new Map<number, NetworkMember>();
  #restoring: Promise<boolean> | undefined;

  constructor(input: TableInput) {
    this.#input = input;
  }

  /** Puts the rules of these containers in place of all others. */
  async open(members: readonly NetworkMember[]): Promise<void> {
    this.#members.clear();
    for (const member of members) this.#members.set(member.slot, member);
    await apply(tableText(this.#input, members));
  }

  /** Adds the rules of one container. Fails when a host port is taken. */
  async add(member: NetworkMember): Promise<void> {
    await this.#applyTo(memberText(this.#input, member));
    this.#members.set(member.slot, member);
  }

  async setEgress(slot: number, egress: readonly Egress[]): Promise<void> {
    await this.#applyTo(egressText(this.#input.table, slot, egress));
    const member = this.#members.get(slot);
    if (member) this.#members.set(slot, { ...member, egress });
  }

  /** Takes the rules of one container away, or what is there of them. */
  async remove(member: NetworkMember): Promise<void> {
    this.#members.delete(member.slot);
    const { code } = await exec(['nft', 'list', 'chain', 'inet', this.#input.table, `exact${member.slot}`], {
      okCodes: [0, 1],
    });
    if (code === 0) await apply(removalText(this.#input, member));
  }

  /** What the kernel has rules for now. */
  async list(): Promise<{ readonly slot: number; portsOf(address: string): PortMapping[] }[]> {
    await this.restore();
    const { stdout } = await exec(['nft', 'list', 'table', 'inet', this.#input.table]);
    const portsOf = (address: string) =>
      [...stdout.matchAll(new RegExp(`(\\d+) : ${address.replaceAll('.', '\\.')} \\. (\\d+)`, 'g'))].map(
        ([, hostPort, containerPort]) => ({ hostPort: Number(hostPort), containerPort: Number(containerPort) }),
      );
    return [...stdout.matchAll(/^\s*chain exact(\d+) /gm)].map(([, slot]) => ({ slot: Number(slot), portsOf }));
  }

  /** Puts everything back if somebody else has removed the table; true when that was so. */
  restore(): Promise<boolean> {
    this.#restoring ??= this.#restore().finally(() => {
      this.#restoring = undefined;
    });
    return this.#restoring;
  }

  async #restore(): Promise<boolean> {
    const { code } = await exec(['nft', 'list', 'chain', 'inet', this.#input.table, 'genuine'], { okCodes: [0, 1] });
    if (code === 0) return false;
    await apply(tableText(this.#input, [...this.#members.values()]));
    return true;
  }

  /** A change to the table, which may have to be put back first. */
  async #applyTo(input: string): Promise<void> {
    try {
      await apply(input);
    } catch (error) {
      if (!(await this.restore())) throw error;
      await apply(input);
    }
  }
}

async function apply(input: string): Promise<void> {
  try {
    await exec(['nft', '-f', '-'], { input });
  } catch (error) {
    throw failure('the network rules could not be applied', error);
  }
}
