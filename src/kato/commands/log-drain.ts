import type { Command } from 'commander';
import { subjects } from '../../contract/subjects.ts';
import { readDrain } from '../../core/log-drain.ts';
import { changeConfig, findConfig, primaryIsSilent } from '../config-client.ts';
import { openNode } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';
import { Refusal } from '../refusal.ts';
import { table } from '../terminal.ts';
import { describe, terminalOf } from './command.ts';

const NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** `kato log drain add | delete | list | status`. */
export function drainCommand(group: Command): void {
  const drains = group
    .command('drain')
    .summary('sends lines to other places')
    .description(
      describe(
        'Sends lines of apps and processes to other places, such as a log server of your own.',
        'kato log drain add central tcp://logs.example.com:514/?format=syslog',
        'kato log drain status',
      ),
    );
  drains
    .command('add')
    .argument('<name>')
    .argument('<uri>', 'tcp, tls or udp://HOST:PORT/?filter=KEY&format=json|raw|syslog')
    .summary('adds or changes one')
    .description(
      describe(
        'Adds a drain, or changes the one of that name. Without filters it gets every line; filters are keys such as apptail, apptail.APP-GUID or systail.dea. Quote a URI with & in it.',
        'kato log drain add central tcp://logs.example.com:514/?format=syslog',
        "kato log drain add shop 'udp://10.0.0.9:5140/?filter=apptail.0e17…&format=raw'",
      ),
    )
    .action(async (name: string, uri: string, _options: unknown, command: Command) => {
      requireName(name);
      const drain = readDrain(uri);
      if ('refused' in drain) throw new Refusal(drain.refused, 'kato log drain add -h tells more');
      const revision = await changeConfig(await openNode(), { path: `logyard.drains.${name}`, value: uri });
      const which = drain.filters.length === 0 ? 'every line' : drain.filters.join(', ');
      const text = `${name}: ${which} to ${drain.protocol} ${drain.host}:${drain.port}, as ${drain.format}`;
      terminalOf(command).result(text, { revision, name, uri });
    });
  drains
    .command('delete')
    .argument('<name>')
    .summary('takes one away')
    .description(describe('Takes a drain away. What waits for it is let go.', 'kato log drain delete central'))
    .action(async (name: string, _options: unknown, command: Command) => {
      requireName(name);
      if (!Object.hasOwn((await look()).wanted, name)) {
        throw new Refusal(`there is no drain '${name}'`, '`kato log drain list` shows them');
      }
      const revision = await changeConfig(await openNode(), { path: `logyard.drains.${name}` });
      terminalOf(command).result(`deleted ${name}`, { revision, deleted: name });
    });
  drains
    .command('list')
    .summary('shows them')
    .description(describe('Shows the drains.', 'kato log drain list'))
    .action(async (_options: unknown, command: Command) => {
      const rows = Object.entries((await look()).wanted);
      const text = rows.length === 0 ? 'there is none' : table([['NAME', 'URI'], ...rows]);
      terminalOf(command).result(
        text,
        rows.map(([name, uri]) => ({ name, uri })),
      );
    });
  drains
    .command('status')
    .argument('[name]')
    .summary('says how they fare')
    .description(
      describe(
        'Says of each drain whether it gets lines: how many were sent, wait, and were let go because too many waited.',
        'kato log drain status',
        'kato log drain status central --json',
      ),
    )
    .action(async (name: string | undefined, _options: unknown, command: Command) => {
      const { wanted, states } = await look();
      if (name !== undefined && !Object.hasOwn(wanted, name)) {
        throw new Refusal(`there is no drain '${name}'`, '`kato log drain list` shows them');
      }
      const shown = Object.keys(wanted)
        .filter((one) => name === undefined || one === name)
        .map((one) => states?.find((state) => state.name === one) ?? { name: one, state: 'UNKNOWN', because: unheard });
      const rows = shown.map((one) => {
        const counts = 'sent' in one ? [one.sent, one.waiting, one.dropped].map(String) : ['', '', ''];
        return [one.name, one.state, ...counts, one.because ?? ''];
      });
      const head = ['NAME', 'STATE', 'SENT', 'WAITING', 'DROPPED', 'WHY'];
      terminalOf(command).result(rows.length === 0 ? 'there is none' : table([head, ...rows]), shown);
    });
}

const unheard = 'no log server tells; kato status logyard, on the Core';

/** The drains that are set, and what the log server that drains says of them; only the Core can ask it. */
async function look() {
  await using probe = new ReadinessProbe(await openNode());
  const bus = await probe.bus();
  const now = bus === undefined ? undefined : await findConfig(bus);
  if (bus === undefined || now === undefined) throw primaryIsSilent();
  const [answer] = await bus.request(subjects.drainStates, [], {}, { timeoutMs: 2000 });
  return { wanted: now.config.logyard.drains, states: answer?.drains };
}

function requireName(name: string): void {
  if (!NAME.test(name)) throw new Refusal(`'${name}' is no name for a drain`, 'letters, digits, - and _, up to 64');
}
