import { Argument, type Command } from 'commander';
import { guestPasswords } from '../../bus/server-config.ts';
import { type BusGuest, busGuestNames, busGuests, guestSubjects, guestUser } from '../../core/bus-guests.ts';
import { openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { readSecrets } from '../setup/secrets.ts';
import { findTopology } from '../topology-file.ts';
import { describe, terminalOf } from './command.ts';

/** `kato op bus_user`. */
export function busUserCommand(group: Command): void {
  const purposes = busGuestNames.map((guest) => `  ${guest.padEnd(10)}${busGuests[guest].purpose}`);
  group
    .command('bus_user')
    .addArgument(new Argument('<guest>', 'which one').choices(busGuestNames))
    .summary('how a monitor or a router of yours attaches to the bus')
    .description(
      describe(
        'Shows the name, the password and the subjects by which a program of yours attaches to the message bus. Run on the Core node.',
        'kato op bus_user monitor',
        'kato op bus_user router --json',
      ).concat(`\n\nGuests:\n${purposes.join('\n')}`),
    )
    .action(async (guest: BusGuest, _flags: unknown, command: Command) => {
      const { file, paths, config } = await openNode();
      if (!file.roles.includes('primary')) {
        throw new Refusal('only the Core node knows the passwords of the bus', `run it on ${file.coreAddress}`);
      }
      const password = guestPasswords((await readSecrets(paths)).nodeKey, await findTopology(paths))[guest];
      const server = `tls://127.0.0.1:${config.bus.port}`;
      const { hears, says } = guestSubjects(guest);
      const value = { server, user: guestUser(guest), password, ca: paths.caCertificate, hears, says };
      const lines = [
        `server    ${server}`,
        `user      ${value.user}`,
        `password  ${password}`,
        `CA        ${value.ca}`,
        `hears     ${hears.join(' ')}`,
        `says      ${says.join(' ')}`,
      ];
      terminalOf(command).result(lines.join('\n'), value);
    });
}
