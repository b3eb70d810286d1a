import type { AnySubject } from '../contract/subject.ts';
import { subjects } from '../contract/subjects.ts';
import type { Topology, TopologyNode } from '../contract/topology.ts';
import { type BusGuest, formatGuests } from './bus-guests.ts';
import { listProcesses } from './role-plan.ts';

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
        s.secretGet,
      ),
      hears: any(
        s.deaHello,
        s.deaAdvertise,
        s.deaShutdown,
        s.deaHeartbeat,
        s.dropletExited,
        s.deaRefused,
        s.healthStart,
        s.healthStop,
        s.bulkCredentials,
        s.stagingAdvertise,
        s.controllerPlaced,
      ),
    },
  ],
  aok: [everyone, registrant],
  logyard: [
    everyone,
    registrant,
    {
      says: any(s.logyardPeer, s.logyardPeerApps, s.logyardPeerRead),
      hears: any(s.appLog, s.systemLog, s.logyardPeer, s.logyardPeerApps, s.logyardPeerRead, s.drainStates),
    },
  ],
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
        s.deaRefused,
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
      says: any(s.deaHello, s.deaAdvertise, s.deaShutdown, s.deaHeartbeat, s.dropletExited, s.deaRefused, s.appLog),
      hears: any(
        s.deaEvacuate,
        s.deaStart,
        s.deaStop,
        s.deaUpdate,
        s.deaFindDroplet,
        s.deaLocate,
        s.deaStatus,
        s.healthManagerStart,
      ),
    },
  ],
  stager: [
    everyone,
    { says: any(s.stagingAdvertise, s.appLog), hears: any(s.stagingStart, s.stagingStop, s.stagingLocate) },
  ],
  primary: [
    everyone,
    registry,
    {
      says: any(s.configChanged, s.topologyChanged, s.certificatesChanged),
      hears: any(
        s.configGet,
        s.configSet,
        s.secretGet,
        s.topologyGet,
        s.certificatesOf,
        s.certificateList,
        s.certificateSet,
      ),
    },
  ],
  base: [
    everyone,
    {
      says: any(s.nodeStatus, s.systemLog, s.componentDiscover, s.topologyGet, s.certificatesOf),
      hears: any(
        s.nodeFind,
        s.nodeRun,
        s.componentAnnounce,
        s.topologyChanged,
        s.certificatesChanged,
        s.routerRegister,
        s.routerUnregister,
      ),
    },
  ],
  /** The Core's: it steers the other nodes. */
  kato: [
    registry,
    {
      says: any(
        s.configGet,
        s.configSet,
        s.topologyGet,
        s.nodeOutput,
        s.nodeRun,
        s.deaEvacuate,
        s.certificateList,
        s.certificateSet,
        s.drainStates,
      ),
      hears: any(s.configChanged, s.topologyChanged, s.nodeOutput, s.systemLog, s.appLog),
    },
  ],
  load_balancer: [everyone],
  mdns: [everyone, { hears: any(s.routerRegister, s.routerUnregister) }],
};

/** kato on any other node. */
const katoElsewhere: readonly Rights[] = [
  registry,
  {
    says: any(s.configGet, s.configSet, s.topologyGet, s.nodeOutput, s.deaEvacuate),
    hears: any(s.configChanged, s.topologyChanged),
  },
];

/** Processes that speak on the bus; each is its own user. */
export const busUserNames: readonly string[] = Object.keys(rights);

/**
 * The rights of one process on the bus. With a node they are narrowed to what concerns that node.
 *
 * @param process whose rights; @param login its user name when another than its own, and its node
 */
export function busUser(process: string, login: { user?: string; nodeId?: string } = {}): BusUser {
  const { user = process, nodeId } = login;
  const given = process === 'kato' && nodeId !== undefined ? katoElsewhere : (rights[process] ?? []);
  const narrowed = { hears: any(s.deaEvacuate, s.deaStart, s.stagingStart, s.nodeRun), says: any(s.certificatesOf) };
  const names = (verb: 'hears' | 'says') =>
    given
      .flatMap((one) => one[verb] ?? [])
      .map((one) => one.name(nodeId !== undefined && narrowed[verb].includes(one) ? nodeId : '*'));
  const [hears, says] = [names('hears'), names('says')];
  return {
    user,
    publish: [...new Set(says)].sort(),
    subscribe: [...[...new Set(hears)].sort(), `_INBOX.${user}.>`],
  };
}

/** One user of the bus. */
export type BusLogin = { readonly user: string; readonly process: string; readonly nodeId?: string };

/** User name on the bus of a process of another node than the Core. */
export function nodeUser(process: string, node: { readonly index: number }): string {
  return `${process}-n${node.index}`;
}

/** Every user of the bus: the Core's own processes, and those that the roles of the other nodes run. */
export function listBusLogins(topology: Topology | undefined): BusLogin[] {
  const own = busUserNames.map((process) => ({ user: process, process }));
  const others = (topology?.nodes ?? []).filter(({ id }) => id !== topology?.core);
  return [...own, ...others.flatMap((node) => nodeLogins(node))];
}

/** The users of one node that is not the Core. */
export function nodeLogins(node: TopologyNode): (BusLogin & { readonly nodeId: string })[] {
  const processes = [...listProcesses(node).map(({ name }) => name), 'kato'];
  return processes
    .filter((process) => busUserNames.includes(process))
    .map((process) => ({ user: nodeUser(process, node), process, nodeId: node.id }));
}

/** May this user publish on (or subscribe to) this subject, answers and inboxes apart? */
export function isAllowed(user: string, verb: 'publish' | 'subscribe', subject: AnySubject): boolean {
  return busUser(user)[verb].includes(subject.name('*'));
}

export type BusServerSettings = {
  readonly listen: string;
  readonly serverName: string;
  readonly tls: { readonly certificate: string; readonly key: string; readonly ca: string };
  /** Where the server notes its process id, for those who tell it to read again. */
  readonly pidFile: string;
  readonly users: readonly (BusLogin & { readonly password: string })[];
  /** Passwords of the guests. */
  readonly guests: Readonly<Record<BusGuest, string>>;
};

/**
 * nats-server's configuration: TLS always, one account of our own and one of guests, every user with its own rights, and neither
 * JetStream nor a user for those who give no name. It holds passwords: mode 0600.
 */
export function formatBusConfig(settings: BusServerSettings): string {
  const text = JSON.stringify;
  const users = settings.users.map((login) => {
    const { publish, subscribe } = busUser(login.process, login);
    return [
      `      { user: ${text(login.user)}, password: ${text(login.password)}, permissions: {`,
      `          publish: { allow: [${publish.map((one) => text(one)).join(', ')}] }`,
      `          subscribe: { allow: [${subscribe.map((one) => text(one)).join(', ')}] }`,
      // A DEA answers once per instance it has; a stager's second answer comes when staging ends.
      '          allow_responses: { max: 100000, expires: "30m" }',
      '      } }',
    ].join('\n');
  });
  const guests = formatGuests(settings.guests);
  return [
    '# Written by kato; changes are overwritten.',
    `server_name: ${text(settings.serverName)}`,
    `listen: ${text(settings.listen)}`,
    `pid_file: ${text(settings.pidFile)}`,
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
    ...guests.exports,
    '  }',
    ...guests.account,
    '}',
    '',
  ].join('\n');
}
