import type { Command } from 'commander';
import { Refusal } from '../refusal.ts';
import { setUpFirstNode } from '../setup/first-node.ts';
import { clusterCommands } from './cluster.ts';
import { type CommandContext, describe, terminalOf } from './command.ts';
import { firstUserCommand } from './first-user.ts';
import { loadBalancerCommand } from './load-balancer.ts';
import { moveCommands } from './move.ts';
import { resetCommand } from './reset.ts';
import { upgradeCommand } from './upgrade.ts';
import { versionsCommand } from './versions.ts';

type Options = {
  email?: string;
  org?: string;
  passwordStdin?: boolean;
  domain?: string;
  yes?: boolean;
  welcome: boolean;
  firstUser?: boolean;
};

/** `kato node setup micro | core`, and what a cluster's nodes are steered with. */
export function nodeCommand(program: Command, context: CommandContext): void {
  const group = program
    .command('node')
    .summary('this node and its cluster')
    .description(describe('Sets nodes up and steers them.', 'kato node setup micro', 'kato node list'));
  const setup = group
    .command('setup')
    .summary('sets this node up')
    .description(
      describe(
        'Sets this node up.',
        'kato node setup micro',
        'kato node setup core api.cloud.example.com',
        'kato node setup load_balancer',
      ),
    );
  withSetupOptions(
    setup
      .command('micro')
      .argument('[role...]', 'roles besides base and primary; default: controller router dea stager'),
  )
    .option('--domain <domain>', 'domain of the platform and its apps (default: stackato.localhost)')
    .option('--no-welcome', "don't push the welcome app")
    .summary('turns this machine into a micro cloud')
    .description(
      describe(
        'Turns this machine into a micro cloud: every role on it. Safe to repeat, also when it was interrupted.',
        'kato node setup micro',
        'kato node setup micro --yes --email me@example.com --org acme --password-stdin < password',
      ),
    )
    .action((roles: string[], options: Options, command: Command) =>
      setUp({ ...options, kind: 'micro', roles }, { command, context }),
    );
  withSetupOptions(setup.command('core').argument('[endpoint]', 'api.DOMAIN, as its users will target it'))
    .summary('makes this machine the Core node of a cluster')
    .description(
      describe(
        'Makes this machine the Core node of a cluster: controller, primary and router. Other machines are attached to it.',
        'kato node setup core api.cloud.example.com',
        'kato role add dea stager',
      ),
    )
    .action((endpoint: string | undefined, options: Options, command: Command) => {
      const domain = endpoint?.replace(/^api\./, '');
      return setUp(
        { ...options, kind: 'core', roles: [], welcome: false, ...(domain === undefined ? {} : { domain }) },
        { command, context },
      );
    });
  loadBalancerCommand(setup, context);
  firstUserCommand(setup);
  clusterCommands(group, context);
  moveCommands(group, context);
  resetCommand(group, context);
  versionsCommand(group);
  upgradeCommand(group, context);
}

function withSetupOptions(command: Command): Command {
  return command
    .option('--email <address>', "the first administrator's e-mail address")
    .option('--org <name>', 'their organization (default: stackato)')
    .option('--password-stdin', 'read their password from standard input')
    .option('--no-first-user', 'make nobody administrator: who has the set-up password does, over HTTP')
    .option('-y, --yes', 'ask nothing: make up what is not given')
    .exitOverride();
}

async function setUp(
  { domain, ...options }: Options & { kind: 'micro' | 'core'; roles: readonly string[] },
  { command, context }: { command: Command; context: CommandContext },
): Promise<void> {
  const terminal = terminalOf(command);
  const password = options.passwordStdin ? await readPassword() : undefined;
  await setUpFirstNode(
    { ...options, email: options.email, org: options.org, domain, password },
    { terminal: options.yes ? { ...terminal, isInteractive: false } : terminal, signal: context.signal },
  );
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
