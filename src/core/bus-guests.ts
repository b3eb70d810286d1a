import { subjects } from '../contract/subjects.ts';

const s = subjects;

/** What guests of the bus hear; nothing in it holds an app's secrets. */
const heard = [
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
];

/** Programs of others that the bus lets in, and what each may say. */
export const busGuests = {
  monitor: {
    purpose: 'asks who is there; steers nothing',
    says: [s.componentDiscover, s.deaLocate, s.deaStatus, s.stagingLocate, s.routerGreet],
  },
  router: { purpose: 'a router beside ours: asks for the routes', says: [s.routerStart] },
} as const;

export type BusGuest = keyof typeof busGuests;
export const busGuestNames = Object.keys(busGuests) as readonly BusGuest[];

/** A guest's user name on the bus. */
export function guestUser(guest: BusGuest): string {
  return `guest-${guest}`;
}

/** Subjects that a guest hears, and those that it says. */
export function guestSubjects(guest: BusGuest): { hears: string[]; says: string[] } {
  return { hears: namesOf(heard), says: namesOf(busGuests[guest].says) };
}

/**
 * The guests' part of nats-server's configuration: an account of their own. There they subscribe to anything, with
 * wildcards and inboxes of any name, and get what is exported to them and the answers to what they ask.
 */
export function formatGuests(passwords: Readonly<Record<BusGuest, string>>): { exports: string[]; account: string[] } {
  const text = JSON.stringify;
  const hears = namesOf(heard);
  const says = namesOf(busGuestNames.flatMap((guest) => [...busGuests[guest].says]));
  const users = busGuestNames.map((guest) => {
    const rights = `{ publish: { allow: ${text(namesOf(busGuests[guest].says))} } }`;
    return `      { user: ${text(guestUser(guest))}, password: ${text(passwords[guest])}, permissions: ${rights} }`;
  });
  return {
    exports: [
      '    exports: [',
      ...hears.map((subject) => `      { stream: ${text(subject)} }`),
      ...says.map((subject) => `      { service: ${text(subject)}, response_type: "stream" }`),
      '    ]',
    ],
    account: [
      '  GUESTS {',
      '    users: [',
      ...users,
      '    ]',
      '    imports: [',
      ...hears.map((subject) => `      { stream: { account: PLATFORM, subject: ${text(subject)} } }`),
      ...says.map((subject) => `      { service: { account: PLATFORM, subject: ${text(subject)} } }`),
      '    ]',
      '  }',
    ],
  };
}

function namesOf(list: readonly { name: () => string }[]): string[] {
  return [...new Set(list.map((one) => one.name()))].sort();
}
