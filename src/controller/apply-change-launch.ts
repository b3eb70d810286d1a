import type { Static } from 'typebox';
import { systemHosts } from '../contract/hosts.ts';
import type { HealthCheck } from '../contract/messages/dea.ts';
import type { PayloadOf } from '../contract/subject.ts';
import type { subjects } from '../contract/subjects.ts';
import { environmentOf, vcapApplication, vcapServices } from '../core/app-env.ts';
import { placementZoneLabel } from '../core/placement.ts';
import type { Controller } from './api/controller.ts';
import { openEnvironment } from './app-environment.ts';
import { sayToApp } from './app-log.ts';
import { internalUrl } from './internal-url.ts';
import type { AppPlace, AppRow } from './store/app.ts';
import type { LaunchFacts } from './store/app-launch.ts';
import type { ProcessRow } from './store/process.ts';

type Start = PayloadOf<typeof subjects.deaStart>;

/** Open files of an instance. */
export const FDS = 16_384;
/** How long a DEA may wait before it fetches a droplet. */
const URL_VALID_S = 3600;

/** Makes start messages for the processes of one app. */
export class LaunchPlan {
  readonly #controller: Controller;
  readonly #facts: LaunchFacts;

  constructor(controller: Controller, facts: LaunchFacts) {
    this.#controller = controller;
    this.#facts = facts;
  }

  typeOf(process: string): string {
    return this.#facts.processes.find(({ guid }) => guid === process)?.type ?? '';
  }

  /** How each address is spoken to. */
  protocols(): Record<string, string> {
    return Object.fromEntries(this.#facts.addresses.map(({ uri, protocol }) => [uri, protocol]));
  }

  /** The placement zone that the app asks for. */
  zone(): { placementZone?: string } {
    const placementZone = this.#facts.app.labels[placementZoneLabel];
    return placementZone ? { placementZone } : {};
  }

  /** A line in the app's log. */
  say(text: string): void {
    sayToApp(this.#controller, this.#facts.app, { text, place: this.#facts.place });
  }

  /** The start message of one instance; undefined when the process or its droplet is gone. */
  message(processGuid: string, index: number): Start | undefined {
    const process = this.#facts.processes.find(({ guid }) => guid === processGuid);
    const droplet = this.#facts.droplets.get(process?.droplet_guid ?? '');
    if (!process || !droplet || droplet.sha256 === null) return undefined;
    const { app, place, groupSealed, egress } = this.#facts;
    const { box } = this.#controller;
    const addresses = this.#facts.addresses.filter(({ type }) => type === process.type);
    const uris = addresses.map(({ uri }) => uri);
    const services = vcapServices([]);
    const memoryMb = process.memory_in_mb;
    return {
      droplet: process.guid,
      index,
      version: process.version,
      name: app.name,
      uris,
      prod: false,
      sha1: droplet.sha1,
      executableUri: this.#dropletUrl(droplet.guid),
      executableFile: 'deprecated',
      limits: { mem: memoryMb, disk: process.disk_in_mb, fds: FDS },
      services: [],
      env: environmentOf({
        group: openEnvironment(box, groupSealed),
        app: openEnvironment(box, app.env_sealed),
        services,
        memoryMb,
      }),
      cc_partition: 'default',
      start_command: process.command ?? droplet.process_types[process.type] ?? null,
      health_check_timeout: process.health_timeout,
      stack: droplet.stack,
      vcap_application: vcapApplication(this.#envFacts(process, uris)),
      egress_network_rules: egress.map(({ protocol, destination, ports, type, code }) => ({
        protocol,
        destination,
        ...(ports === undefined ? {} : { ports }),
        ...(type === undefined ? {} : { type }),
        ...(code === undefined ? {} : { code }),
      })),
      x: {
        sha256: droplet.sha256,
        app_guid: app.guid,
        process_type: process.type,
        vcap_services: services,
        health_check: healthCheckOf(process),
        route_protocols: Object.fromEntries(addresses.map(({ uri, protocol }) => [uri, protocol])),
        log_rate_limit_bytes_s: process.log_rate_limit_in_bytes_per_second,
        tags: { ...tagsOf(app, place), process_id: process.guid, process_type: process.type },
        ...(process.user_name === null ? {} : { user: process.user_name }),
      },
    };
  }

  #dropletUrl(guid: string): string {
    const path = `/internal/v1/droplets/${guid}/bits`;
    return internalUrl(this.#controller, { method: 'GET', path, validS: URL_VALID_S });
  }

  #envFacts(process: ProcessRow, uris: readonly string[]) {
    const { app, place } = this.#facts;
    return {
      apiUrl: `https://${systemHosts(this.#controller.config.cluster.domain).api}`,
      app,
      process,
      ...place,
      uris,
      limits: { memoryMb: process.memory_in_mb, diskMb: process.disk_in_mb, fds: FDS },
    };
  }
}

/** Names and guids that an app's log lines carry. */
export function tagsOf(app: Pick<AppRow, 'guid' | 'name'>, place: AppPlace): Record<string, string> {
  return {
    app_id: app.guid,
    app_name: app.name,
    space_id: place.space.guid,
    space_name: place.space.name,
    organization_id: place.organization.guid,
    organization_name: place.organization.name,
  };
}

function healthCheckOf(process: ProcessRow): Static<typeof HealthCheck> {
  return {
    type: process.health_type,
    ...(process.health_endpoint === null ? {} : { endpoint: process.health_endpoint }),
    timeout_s: process.health_timeout ?? 60,
    invocation_timeout_s: process.health_invocation_timeout ?? 1,
    interval_s: process.health_interval ?? 30,
  };
}
