import { subjects } from '../contract/subjects.ts';

const s = subjects;

/** Programs of others that the bus lets in, and what each may hear and say; nothing in it holds an app's secrets. */
export const busGuests = {
  monitor: {
    purpose: 'sees components, DEAs, instances, routes and nodes; steers nothing',
    hears: [
      s.componentAnnounce,
      s.routerRegister,
      s.routerUnregister,
      s.routerStart,
      s.deaHello,
      s.deaAdvertise,
      s.deaShutdown,
      s.deaHeartbeat,
      s.dropletExited,
      s.dropletUpdated,
      s.stagingAdvertise,
      s.nodeStatus,
    ],
    says: [s.componentDiscover, s.deaLocate, s.deaStatus, s.stagingLocate, s.routerGreet],
  },
  router: {
    purpose: 'a router beside ours: hears routes, and asks for them',
    hears: [s.routerRegister, s.routerUnregister, s.routerGreet],
    says: [s.routerStart],
  },
} as const;

export type BusGuest = keyof typeof busGuests;
export const busGuestNames = Object.keys(busGuests) as readonly BusGuest[];

/** A guest's user name on the bus. */
export function guestUser(guest: BusGuest): string {
  return `guest-${guest}`;
}

/** Subjects that a guest hears, and those that it says. */
export function guestSubjects(guest: BusGuest): { hears: string[]; says: string[] } {
  const { hears, says } = busGuests[guest];
  return { hears: hears.map((one) => one.name()).sort(), says: says.map((one) => one.name()).sort() };
}

/**
 * The guests' part of nats-server's configuration: an account of their own. They use inboxes of any name there and
 * see none of ours; answers to what they ask come through the import.
 */
export function formatGuests(passwords: Readonly<Record<BusGuest, string>>): { exports: string[]; account: string[] } {
  const all = busGuestNames.map(guestSubjects);
  const heard = [...new Set(all.flatMap(({ hears }) => hears))].sort();
  const said = [...new Set(all.flatMap(({ says }) => says))].sort();
  const text = JSON.stringify;
  const users = busGuestNames.map((guest) => {
    const { hears, says } = guestSubjects(guest);
    const rights = `publish: { allow: ${text(says)} }, subscribe: { allow: ${text([...hears, '_INBOX.>'])} }`;
    return `      { user: ${text(guestUser(guest))}, password: ${text(passwords[guest])}, permissions: { ${rights} } }`;
  });
  return {
    exports: [
      '    exports: [',
      ...heard.map((subject) => `      { stream: ${text(subject)} }`),
      ...said.map((subject) => `      { service: ${text(subject)}, response_type: "stream" }`),
      '    ]',
    ],
    account: [
      '  GUESTS {',
      '    users: [',
      ...users,
      '    ]',
      '    imports: [',
      ...heard.map((subject) => `      { stream: { account: PLATFORM, subject: ${text(subject)} } }`),
      ...said.map((subject) => `      { service: { account: PLATFORM, subject: ${text(subject)} } }`),
      '    ]',
      '  }',
    ],
  };
}
