import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import { type Part, part } from '../platform/lifecycle.ts';
import type { Controller } from './api/controller.ts';
import type { ChangeApplier } from './apply-change.ts';
import { findProcess } from './store/process.ts';

type Heartbeat = PayloadOf<typeof subjects.deaHeartbeat>;

/** Tells a DEA that comes back the routes of its instances, which may have changed while nobody could tell it. */
export class ReturningDeas {
  readonly #controller: Controller;
  readonly #changes: Pick<ChangeApplier, 'sendRoutes'>;
  readonly #returned = new Set<string>();

  constructor(controller: Controller, services: { changes: Pick<ChangeApplier, 'sendRoutes'> }) {
    this.#controller = controller;
    this.#changes = services.changes;
  }

  part(): Part {
    const { bus } = this.#controller;
    return part('returning deas', () => {
      const subscriptions = [
        // One controller does it.
        bus.subscribe(subjects.deaHello, [], ({ id }) => void this.#returned.add(id), { queue: 'cc' }),
        bus.subscribe(subjects.deaHeartbeat, [], (beat) => this.#hear(beat)),
      ];
      return () => {
        for (const subscription of subscriptions) subscription[Symbol.dispose]();
      };
    });
  }

  async #hear({ dea, droplets }: Heartbeat): Promise<void> {
    if (!this.#returned.delete(dea)) return;
    const { db, log } = this.#controller;
    const apps = new Set<string>();
    for (const process of new Set(droplets.map(({ droplet }) => droplet))) {
      const known = await findProcess(db, process);
      if (known !== undefined) apps.add(known.app_guid);
    }
    for (const app of apps) await this.#changes.sendRoutes(app);
    if (apps.size > 0) log.info('sent-routes-to-returning-dea', { dea, apps: apps.size });
  }
}
