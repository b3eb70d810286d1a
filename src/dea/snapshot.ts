import { join } from 'node:path';
import { type InstanceState, instanceStates } from '../core/instance-state.ts';
import { readJsonIfExists, writeFileAtomic } from '../platform/files.ts';
import type { InstanceRecord } from './instance.ts';

/** The file from which a successor of this process knows its instances. It holds environments, hence mode 0600. */
export class Snapshot {
  readonly #path: string;
  readonly #records: () => readonly InstanceRecord[];
  #isDirty = false;
  #writing: Promise<void> | undefined;

  constructor(directory: string, records: () => readonly InstanceRecord[]) {
    this.#path = join(directory, 'instances.json');
    this.#records = records;
  }

  /** Writes the present state; changes that come while it is being written are written once after it. */
  save(): Promise<void> {
    this.#isDirty = true;
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined;
    });
    return this.#writing;
  }

  /** What a predecessor left; entries that can't be understood are left out, their containers are removed. */
  async load(): Promise<InstanceRecord[]> {
    const value = (await readJsonIfExists(this.#path)) as { instances?: unknown } | undefined;
    return Array.isArray(value?.instances) ? value.instances.filter(isRecord) : [];
  }

  async #write(): Promise<void> {
    while (this.#isDirty) {
      this.#isDirty = false;
      await writeFileAtomic(this.#path, `${JSON.stringify({ instances: this.#records() })}\n`, 0o600);
    }
  }
}

function isRecord(value: unknown): value is InstanceRecord {
  const record = value as Partial<InstanceRecord> | null;
  return (
    typeof record?.instance === 'string' &&
    typeof record.message?.droplet === 'string' &&
    Array.isArray(record.uris) &&
    instanceStates.includes(record.state as InstanceState)
  );
}
