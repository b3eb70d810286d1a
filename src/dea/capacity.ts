import { totalmem } from 'node:os';
import type { ContainerEngine } from '../container/container.ts';
import type { ClusterConfig } from '../contract/config.ts';
import type { Registry } from './registry.ts';

const MB = 1_048_576;

/** What this DEA offers and what is left of it. MB. */
export class Capacity {
  readonly #engine: ContainerEngine;
  readonly #config: ClusterConfig['dea'];
  readonly #registry: Registry;
  readonly physicalMb = Math.floor(totalmem() / MB);
  #space = { freeMb: 0, totalMb: 0 };

  constructor(engine: ContainerEngine, config: ClusterConfig['dea'], registry: Registry) {
    this.#engine = engine;
    this.#config = config;
    this.#registry = registry;
  }

  /** Measures the store again. */
  async refresh(): Promise<void> {
    const { freeBytes, totalBytes } = await this.#engine.space();
    this.#space = { freeMb: Math.floor(freeBytes / MB), totalMb: Math.floor(totalBytes / MB) };
  }

  get memoryMb(): number {
    const offered = this.#config.memoryMb || this.physicalMb * 0.75;
    return Math.floor(offered * this.#config.memoryOvercommit);
  }

  get diskMb(): number {
    return this.#config.diskMb || this.#space.totalMb;
  }

  available(): { memoryMb: number; diskMb: number } {
    const reserved = this.#registry.reserved();
    return {
      memoryMb: Math.max(0, this.memoryMb - reserved.memoryMb),
      diskMb: Math.max(0, Math.min(this.diskMb - reserved.diskMb, this.#space.freeMb)),
    };
  }

  /** Why an instance with these limits does not fit; undefined when it does. */
  refusal(limits: { readonly mem: number; readonly disk: number }): string | undefined {
    const { memoryMb, diskMb } = this.available();
    if (limits.mem > memoryMb) return `not enough memory there: ${limits.mem} MB wanted, ${memoryMb} MB free`;
    if (limits.disk > diskMb) return `not enough disk there: ${limits.disk} MB wanted, ${diskMb} MB free`;
    return undefined;
  }
}
