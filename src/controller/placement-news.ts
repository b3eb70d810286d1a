import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import type { Controller } from './api/controller.ts';
import type { DeaDirectory } from './dea-directory.ts';
import type { InstanceDirectory } from './instances.ts';

type Placed = PayloadOf<typeof subjects.controllerPlaced>;

/**
 * Tells the other controllers what this one places, and counts what they place: each then knows how full DEAs are before
 * the next advertisement, and shows the same state of an instance that no heartbeat has named yet.
 */
export class PlacementNews implements Disposable {
  readonly #controller: Controller;
  readonly #instances: InstanceDirectory;
  readonly #id: string;
  readonly #subscription: Disposable;

  constructor(controller: Controller, directories: { deas: DeaDirectory; instances: InstanceDirectory }) {
    this.#controller = controller;
    this.#instances = directories.instances;
    this.#id = controller.random.guid();
    this.#subscription = controller.bus.subscribe(subjects.controllerPlaced, [], (placed) => {
      if (placed.controller === this.#id) return;
      this.#note(placed);
      if (placed.dea === undefined) return;
      directories.deas.count(placed.dea, {
        ...{ process: placed.droplet, memoryMb: placed.memory, diskMb: placed.disk },
      });
    });
  }

  /** Says what was done with an instance. */
  tell(placed: Omit<Placed, 'controller'>): void {
    const said = { ...placed, controller: this.#id };
    this.#note(said);
    this.#controller.bus.publish(subjects.controllerPlaced, [], said);
  }

  #note({ droplet, version, index, refusal }: Placed): void {
    if (refusal === undefined) this.#instances.noteStart(droplet, version, index);
    else this.#instances.noteRefusal(droplet, version, index, refusal);
  }

  [Symbol.dispose](): void {
    this.#subscription[Symbol.dispose]();
  }
}
