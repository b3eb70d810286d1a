import type { Command } from 'commander';
import { Refusal } from '../refusal.ts';
import { setupMicro } from '../setup/micro.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';

type Options = {
  email?: string;
  org?: string;
  passwordStdin?: boolean;
  domain?: string;
  yes?: boolean;
  welcome: boolean;
};

/** `kato node setup micro`. */
export function nodeCommand(program: Command, context: CommandContext): void {
  const setup = program
    .command('node')
    .summary('this node')
    .description(describe('Sets nodes up.', 'kato node setup micro'))
    .command('setup')
    .summary('sets this node up')
    .description(describe('Sets this node up.', 'kato node setup micro'));
  setup
    .command('micro')
    .argument('[role...]', 'roles besides base and primary; default: controller router dea stager')
    .option('--email <address>', "the first administrator's e-mail address")
    .option('--org <name>', 'their organization (default: stackato)')
    .option('--password-stdin', 'read their password from standard input')
    .option('--domain <domain>', 'domain of the platform and its apps (default: stackato.localhost)')
    .option('-y, --yes', 'ask nothing: make up what is not given')
    .option('--no-welcome', "don't push the welcome app")
    .summary('turns this machine into a micro cloud')
    .description(
      describe(
        'Turns this machine into a micro cloud: every role on it. Safe to repeat, also when it was interrupted.',
        'kato node setup micro',
        'kato node setup micro --yes --email me@example.com --org acme --password-stdin < password',
      ),
    )
    .exitOverride()
    .action(async (roles: string[], options: Options, command: Command) => {
      const terminal = terminalOf(command);
      const password = options.passwordStdin ? await readPassword() : undefined;
      await setupMicro(
        { ...options, email: options.email, org: options.org, domain: options.domain, password, roles },
        { terminal: options.yes ? { ...terminal, isInteractive: false } : terminal, signal: context.signal },
      );
    });
}

async function readPassword(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk));
  const password = Buffer.concat(chunks)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (password === '')
    throw new Refusal('--password-stdin: standard input is empty', 'for example `kato … --password-stdin < file`');
  return password;
}
