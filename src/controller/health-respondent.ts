import type { Bus } from '../bus/bus.ts';
import type { PayloadOf } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import { type Part, part } from '../platform/lifecycle.ts';
import type { Controller } from './api/controller.ts';
import { sayToApp } from './app-log.ts';
import type { ChangeApplier } from './apply-change.ts';
import { formatExit } from './instances.ts';
import { getApp } from './store/app.ts';
import { recordEvent } from './store/audit-event.ts';
import { findProcess } from './store/process.ts';

type HealthStart = PayloadOf<typeof subjects.healthStart>;
type HealthStop = PayloadOf<typeof subjects.healthStop>;
type Exited = PayloadOf<typeof subjects.dropletExited>;
type Refused = PayloadOf<typeof subjects.deaRefused>;

/** Answers the health manager and DEAs that refuse a start, and turns crashes into events. Bus messages are hints: each is checked against the database. */
export class HealthRespondent {
  readonly #controller: Controller;
  readonly #changes: ChangeApplier;

  constructor(controller: Controller, services: { changes: ChangeApplier }) {
    this.#controller = controller;
    this.#changes = services.changes;
  }

  part(): Part {
    const bus: Bus = this.#controller.bus;
    return part('health respondent', () => {
      const subscriptions = [
        bus.subscribe(subjects.healthStart, [], (request) => this.#start(request), { queue: 'cc' }),
        bus.subscribe(subjects.healthStop, [], (request) => this.#stop(request), { queue: 'cc' }),
        bus.subscribe(subjects.bulkCredentials, [], (_empty, message) => message.respond(this.#credentials()), {
          queue: 'cc',
        }),
        bus.subscribe(subjects.deaRefused, [], (refused) => this.#refused(refused), { queue: 'cc' }),
        bus.subscribe(subjects.dropletExited, [], (exited) => this.#exited(exited), {
          queue: 'crash_event_registration',
        }),
      ];
      return () => {
        for (const subscription of subscriptions) subscription[Symbol.dispose]();
      };
    });
  }

  async #start(request: HealthStart): Promise<void> {
    const process = await findProcess(this.#controller.db, request.droplet);
    const because = refusalOf(request, process);
    if (because !== undefined || !process) {
      this.#controller.log.info('refused-health-start', { process: request.droplet, because });
      return;
    }
    const indices = [...new Set(request.indices)].filter((index) => index >= 0 && index < process.instances);
    await this.#changes.startIndices(process.app_guid, process.guid, indices);
  }

  async #stop(request: HealthStop): Promise<void> {
    const { db, bus, log } = this.#controller;
    const process = await findProcess(db, request.droplet);
    if (!process) {
      bus.publish(subjects.deaStop, [], { droplet: request.droplet });
      return;
    }
    if (process.app_state === 'STARTED' && process.droplet_guid !== null) {
      const current = request.running[process.version] ?? 0;
      const stopped = Object.values(request.instances).filter((version) => version === process.version).length;
      const isOldOnly = stopped === 0;
      if (!isOldOnly && current - stopped < process.instances) {
        return log.info('refused-health-stop', { process: process.guid, because: 'fewer than desired would be left' });
      }
      if (isOldOnly && current === 0 && process.instances > 0) {
        return log.info('refused-health-stop', { process: process.guid, because: 'none of the new version runs yet' });
      }
    }
    this.#changes.stopInstances(process.guid, Object.keys(request.instances));
  }

  /** A DEA gave a start back: another is tried, until each has refused. */
  async #refused({ droplet, version, index, dea, because, refused_by }: Refused): Promise<void> {
    const { db, log } = this.#controller;
    const process = await findProcess(db, droplet);
    const isWanted =
      process?.app_state === 'STARTED' &&
      process.droplet_guid !== null &&
      process.version === version &&
      index < process.instances;
    log.info('heard-refusal', { process: droplet, index, dea, because, isWanted });
    if (!isWanted) return;
    const refusal = { refusedBy: [...new Set([...refused_by, dea])], because };
    await this.#changes.startElsewhere(process.app_guid, { process: droplet, index }, refusal);
  }

  #credentials() {
    const { signingKey, serviceHost, config } = this.#controller;
    return { user: 'bulk_api', password: signingKey, url: `http://${serviceHost}:${config.controller.port}` };
  }

  async #exited(exited: Exited): Promise<void> {
    if (exited.reason !== 'CRASHED') return;
    const { db, random } = this.#controller;
    const process = await findProcess(db, exited.droplet);
    if (!process) return;
    const app = await getApp(db, process.app_guid);
    const what = `APP/PROC/${process.type.toUpperCase()}: ${formatExit(exited)}`;
    const data = {
      instance: exited.instance,
      index: exited.index,
      cell_id: exited.dea ?? '',
      reason: exited.reason,
      exit_status: exited.exit_status ?? -1,
      exit_description: what,
      crash_timestamp: exited.crash_timestamp ?? Math.floor(this.#controller.clock.nowMs() / 1000),
      process_guid: process.guid,
    };
    const event = { target: { guid: app.guid, type: 'app', name: app.name }, spaceGuid: app.space_guid, data };
    const actor = { guid: process.guid, type: 'process', name: process.type };
    await db.transaction().execute(async (tx) => {
      await recordEvent(tx, {
        ...event,
        guid: random.guid(),
        type: 'app.crash',
        actor: { ...actor, guid: app.guid, type: 'app', name: app.name },
      });
      await recordEvent(tx, { ...event, guid: random.guid(), type: 'audit.app.process.crash', actor });
    });
    sayToApp(this.#controller, app, { text: `Process has crashed with type: "${process.type}"` });
    sayToApp(this.#controller, app, {
      text: `App instance exited with guid ${app.guid} payload: ${JSON.stringify(data)}`,
    });
  }
}

function refusalOf(request: HealthStart, process: Awaited<ReturnType<typeof findProcess>>): string | undefined {
  if (!process) return 'the process does not exist';
  if (process.app_state !== 'STARTED') return 'the app is stopped';
  if (process.droplet_guid === null) return 'the process has no droplet';
  if (process.version !== request.version) return `version ${request.version} is not the current one`;
  if ((request.running[process.version] ?? 0) >= process.instances) return 'enough instances run';
  return undefined;
}
