import { ClusterConfig } from '../../contract/config.ts';
import { decode } from '../../contract/decode.ts';
import { isDomain } from '../../core/cluster-domain.ts';
import { passwordFault } from '../../core/password-policy.ts';
import { readJsonIfExists } from '../../platform/files.ts';
import { pathsOf } from '../../platform/paths.ts';
import { Refusal } from '../refusal.ts';
import type { Terminal } from '../terminal.ts';
import { findEarlierAdmin, isLeftToOthers } from './first-admin.ts';
import type { SetupOptions } from './step.ts';

const EMAIL = /^[^\s@]+@[^\s@]+$/;
const LONGEST_ORG = 250;

/**
 * What the operator wants: checked, held against what an earlier set-up was told, and asked for where somebody sits at a
 * terminal. All of it comes before the first change, so that nobody waits minutes for a question or for a refusal.
 *
 * @throws Refusal naming the answer that can't be, and what to give instead
 */
export async function settleAnswers(options: SetupOptions, terminal: Terminal): Promise<SetupOptions> {
  checkDomain(options.domain);
  checkOrg(options.org);
  if (options.email !== undefined && !EMAIL.test(options.email)) {
    throw new Refusal(`'${options.email}' is no e-mail address`, 'for example --email you@example.com');
  }
  if (isLeftToOthers(options)) refuseWho(options);
  const config = await earlierConfig(options.state);
  const given = config?.cluster.domain;
  if (given !== undefined) refuseOther('domain', options.domain, given);
  const admin = await findEarlierAdmin(pathsOf(options.state));
  if (admin !== undefined) {
    refuseOther('email', options.email, admin.email);
    refuseOther('org', options.org, admin.org);
    return options;
  }
  if (isLeftToOthers(options)) return options;
  const rules = { minLength: (config ?? decode(ClusterConfig, {}, 'defaults')).aok.passwordMinLength };
  const email = options.email ?? (terminal.isInteractive ? await askEmail() : undefined);
  const check = (password: string) => passwordFault(password, { ...rules, userName: email ?? '' });
  const password = options.password ?? (terminal.isInteractive ? await askPassword(check) : undefined);
  const fault = password === undefined || password === '' ? undefined : check(password);
  if (fault !== undefined) throw new Refusal(fault, 'give another one on standard input');
  return { ...options, email, password: password === '' ? undefined : password };
}

function refuseWho({ email, org }: SetupOptions): void {
  if (email === undefined && org === undefined) return;
  throw new Refusal(
    'with --no-first-user nobody is made administrator, so --email and --org have no meaning',
    'leave them out; the password on standard input is the set-up password',
  );
}

async function earlierConfig(state: string): Promise<ClusterConfig | undefined> {
  const file = pathsOf(state).clusterFile;
  const existing = await readJsonIfExists(file);
  return existing === undefined ? undefined : decode(ClusterConfig, existing, file);
}

function refuseOther(flag: string, given: string | undefined, earlier: string): void {
  if (given === undefined || given === earlier) return;
  throw new Refusal(
    `this node was set up with --${flag} ${earlier}, and set-up does not change that to ${given}`,
    flag === 'domain'
      ? `\`kato node rename ${given}\` gives it that domain; then set it up without one`
      : `leave --${flag} out, or set up another node: STACKATO_STATE names its folder`,
  );
}

function checkDomain(domain: string | undefined): void {
  if (domain === undefined) return;
  if (isDomain(domain)) return;
  throw new Refusal(`'${domain}' is no domain`, 'for example --domain cloud.example.com, in small letters');
}

function checkOrg(org: string | undefined): void {
  if (org === undefined || (org.trim() !== '' && org.length <= LONGEST_ORG && !/\p{Cc}/u.test(org))) return;
  throw new Refusal(
    `'${org}' is no name for an organization: it takes 1 to ${LONGEST_ORG} characters`,
    'for example --org acme',
  );
}

async function askEmail(): Promise<string> {
  const { text, isCancel } = await import('@clack/prompts');
  const answer = await text({
    message: "The first administrator's e-mail address",
    validate: (value) => (EMAIL.test(value ?? '') ? undefined : 'an address such as you@example.com'),
  });
  if (isCancel(answer)) throw new Refusal('set-up was interrupted', 'run it again, or name the address with --email');
  return answer;
}

async function askPassword(check: (password: string) => string | undefined): Promise<string> {
  const { password, isCancel } = await import('@clack/prompts');
  const answer = await password({
    message: 'Their password (leave it empty to have one made)',
    mask: '•',
    validate: (value) => (value === undefined || value === '' ? undefined : check(value)),
  });
  if (isCancel(answer)) throw new Refusal('set-up was interrupted', 'run it again');
  return answer ?? '';
}
