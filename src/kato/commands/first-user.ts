import type { Command } from 'commander';
import { passwordFault } from '../../core/password-policy.ts';
import { createFirstAdmin } from '../api-client.ts';
import { openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { makeHome, rememberAdmin } from '../setup/first-admin.ts';
import { newPassword } from '../setup/new-password.ts';
import { readStandardInput } from '../standard-input.ts';
import { describe, terminalOf } from './command.ts';

type Flags = { password?: string; passwordStdin?: boolean; username?: string; space: string };

/** `kato node setup firstuser`. */
export function firstUserCommand(setup: Command): void {
  setup
    .command('firstuser')
    .argument('<email>', "the first administrator's e-mail address")
    .argument('<org>', 'their organization')
    .option('-p, --password <password>', 'their password; better: --password-stdin')
    .option('--password-stdin', 'read their password from standard input')
    .option('-u, --username <name>', 'what they log in as (default: the address)')
    .option('-s, --space <name>', 'a space in the organization', 'dev')
    .summary('makes the first administrator')
    .description(
      describe(
        'Makes the first administrator, an organization and a space, while there is no administrator. Without a password one is made up and shown once.',
        'kato node setup firstuser me@example.com acme --password-stdin < password',
        'kato node setup firstuser me@example.com acme -u admin -s production',
      ),
    )
    .action(async (email: string, org: string, flags: Flags, command: Command) => {
      const node = await openNode();
      const { username: userName, space } = flags;
      if (!node.file.roles.includes('primary')) {
        throw new Refusal(
          `the first administrator is made on the Core node, ${node.file.coreAddress}`,
          'run the same command there',
        );
      }
      if (!/^[^\s@]+@[^\s@]+$/.test(email)) {
        throw new Refusal(
          `'${email}' is no e-mail address`,
          'for example kato node setup firstuser me@example.com acme',
        );
      }
      const given = flags.passwordStdin ? await readStandardInput() : flags.password;
      const password = given ?? newPassword();
      const rules = { minLength: node.config.aok.passwordMinLength, userName: userName ?? email };
      const fault = passwordFault(password, rules);
      if (fault !== undefined) throw new Refusal(fault, 'give another one');
      const outcome = await createFirstAdmin(node, { email, password, userName });
      await makeHome(node, { email, password, org, userName, space });
      await rememberAdmin(node, { email, org });
      const who = userName ?? email;
      const shown = given === undefined ? { password } : {};
      const text = outcome === 'made' ? `${who} is the administrator, with ${org} / ${space}` : `${who} is it already`;
      const lines = given === undefined ? [`password ${password} (shown only now)`, text] : [text];
      terminalOf(command).result(lines.join('\n'), { email, userName: who, org, space, outcome, ...shown });
    });
}
