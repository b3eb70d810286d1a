import type { AnySubject } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';

/** What one user of the bus may say and hear; subjects with `*` where they have parameters. */
export type BusUser = {
  readonly user: string;
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
};

type Rights = { readonly says?: readonly AnySubject[]; readonly hears?: readonly AnySubject[] };

const s = subjects;
const any = (...list: readonly { name: (...params: never[]) => string }[]) => list as unknown as readonly AnySubject[];

const everyone: Rights = {
  says: any(s.componentAnnounce, s.configGet),
  hears: any(s.componentDiscover, s.configChanged),
};
const registrant: Rights = {
  says: any(s.routerRegister, s.routerUnregister, s.routerGreet),
  hears: any(s.routerStart),
};
const registry: Rights = { hears: any(s.nodeStatus, s.componentAnnounce), says: any(s.nodeFind, s.componentDiscover) };

/** Rights by process; nothing else may be said or heard. Answers to what was heard are always allowed. */
const rights: Readonly<Record<string, readonly Rights[]>> = {
  controller: [
    everyone,
    registrant,
    registry,
    {
      says: any(
        s.deaStart,
        s.deaStop,
        s.deaUpdate,
        s.deaFindDroplet,
        s.deaLocate,
        s.deaStatus,
        s.dropletUpdated,
        s.healthManagerStatus,
        s.healthManagerHealth,
        s.stagingStart,
        s.stagingStop,
        s.stagingLocate,
        s.appLog,
        s.controllerPlaced,
      ),
      hears: any(
        s.deaHello,
        s.deaAdvertise,
        s.deaShutdown,
        s.deaHeartbeat,
        s.dropletExited,
        s.healthStart,
        s.healthStop,
        s.bulkCredentials,
        s.stagingAdvertise,
        s.controllerPlaced,
      ),
    },
  ],
  aok: [everyone, registrant],
  logyard: [everyone, registrant, { hears: any(s.appLog, s.systemLog) }],
  health_manager: [
    everyone,
    {
      says: any(s.healthManagerStart, s.healthStart, s.healthStop, s.bulkCredentials),
      hears: any(
        s.deaHello,
        s.deaAdvertise,
        s.deaShutdown,
        s.deaHeartbeat,
        s.dropletExited,
        s.dropletUpdated,
        s.healthManagerStatus,
        s.healthManagerHealth,
      ),
    },
  ],
  router: [
    everyone,
    {
      says: any(s.routerStart, s.appLog, s.componentDiscover),
      hears: any(s.routerRegister, s.routerUnregister, s.routerGreet, s.deaHeartbeat),
    },
  ],
  dea: [
    everyone,
    registrant,
    {
      says: any(s.deaHello, s.deaAdvertise, s.deaShutdown, s.deaHeartbeat, s.dropletExited, s.appLog),
      hears: any(s.deaStart, s.deaStop, s.deaUpdate, s.deaFindDroplet, s.deaLocate, s.deaStatus, s.healthManagerStart),
    },
  ],
  stager: [
    everyone,
    { says: any(s.stagingAdvertise, s.appLog), hears: any(s.stagingStart, s.stagingStop, s.stagingLocate) },
  ],
  primary: [everyone, registry, { says: any(s.configChanged), hears: any(s.configGet, s.configSet) }],
  base: [
    everyone,
    {
      says: any(s.nodeStatus, s.systemLog, s.componentDiscover),
      hears: any(s.nodeFind, s.routerRegister, s.routerUnregister),
    },
  ],
  load_balancer: [everyone],
  mdns: [everyone, { hears: any(s.routerRegister, s.routerUnregister) }],
  kato: [registry, { says: any(s.configGet, s.configSet), hears: any(s.configChanged) }],
};

/** Processes that speak on the bus; each is its own user. */
export const busUserNames: readonly string[] = Object.keys(rights);

/** The rights of one process on the bus. */
export function busUser(user: string): BusUser {
  const given = rights[user] ?? [];
  const names = (key: keyof Rights) => [...new Set(given.flatMap((one) => one[key] ?? []).map((one) => one.name('*')))];
  return { user, publish: names('says').sort(), subscribe: [...names('hears').sort(), `_INBOX.${user}.>`] };
}

/** May this user publish on (or subscribe to) this subject, answers and inboxes apart? */
export function isAllowed(user: string, verb: 'publish' | 'subscribe', subject: AnySubject): boolean {
  return busUser(user)[verb].includes(subject.name('*'));
}

export type BusServerSettings = {
  readonly listen: string;
  readonly serverName: string;
  readonly tls: { readonly certificate: string; readonly key: string; readonly ca: string };
  readonly passwords: Readonly<Record<string, string>>;
};

/**
 * nats-server's configuration: TLS always, one account of our own, every user with its own rights, and neither
 * JetStream nor a user for those who give no name. It holds passwords: mode 0600.
 */
export function formatBusConfig(settings: BusServerSettings): string {
  const text = JSON.stringify;
  const users = busUserNames.map((name) => {
    const { publish, subscribe } = busUser(name);
    return [
      `      { user: ${text(name)}, password: ${text(settings.passwords[name] ?? '')}, permissions: {`,
      `          publish: { allow: [${publish.map((one) => text(one)).join(', ')}] }`,
      `          subscribe: { allow: [${subscribe.map((one) => text(one)).join(', ')}] }`,
      // A DEA answers once per instance it has; a stager's second answer comes when staging ends.
      '          allow_responses: { max: 100000, expires: "30m" }',
      '      } }',
    ].join('\n');
  });
  return [
    '# Written by kato; changes are overwritten.',
    `server_name: ${text(settings.serverName)}`,
    `listen: ${text(settings.listen)}`,
    'max_payload: 1MB',
    'max_pending: 64MB',
    'write_deadline: "5s"',
    'ping_interval: "20s"',
    `tls { cert_file: ${text(settings.tls.certificate)}, key_file: ${text(settings.tls.key)}, ca_file: ${text(settings.tls.ca)}, timeout: 5 }`,
    'accounts {',
    '  PLATFORM {',
    '    users: [',
    ...users,
    '    ]',
    '  }',
    '}',
    '',
  ].join('\n');
}
