import type { backupState } from './backup-plan.ts';
import { areCompatible } from './cluster-rules.ts';
import { findPortUse, type Listener, type PortUse } from './port-table.ts';
import { shutOut } from './process-status.ts';

/** What one look at a node found: right, worth knowing, or wrong; and what to do. */
export type Finding = {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'wrong';
  readonly what: string;
  readonly next?: string;
};

const ok = (check: string, what: string): Finding => ({ check, state: 'ok', what });
const warning = (check: string, what: string, next: string): Finding => ({ check, state: 'warning', what, next });
const wrong = (check: string, what: string, next: string): Finding => ({ check, state: 'wrong', what, next });

const SET_CLOCK = 'keep it right with a time service: apt-get install -y chrony';
const SKEW_WARNING_MS = 3000;
const SKEW_WRONG_MS = 30_000;

/** @param seen `skewMs`: ahead of the Core's clock; undefined on the Core itself, or when it did not answer */
export function judgeClock(seen: { skewMs: number | undefined; hasTimeService: boolean }): Finding[] {
  const { skewMs, hasTimeService } = seen;
  const service = hasTimeService ? [] : [warning('clock', 'no time service runs on this machine', SET_CLOCK)];
  if (skewMs === undefined) return hasTimeService ? [ok('clock', 'a time service runs')] : service;
  const text = `${(Math.abs(skewMs) / 1000).toFixed(0)} s ${skewMs > 0 ? 'ahead of' : 'behind'} the Core's clock`;
  if (Math.abs(skewMs) >= SKEW_WRONG_MS) return [wrong('clock', `this machine is ${text}`, SET_CLOCK)];
  if (Math.abs(skewMs) >= SKEW_WARNING_MS) return [warning('clock', `this machine is ${text}`, SET_CLOCK)];
  return [ok('clock', "within 3 s of the Core's"), ...service];
}

export type DiskFacts = {
  readonly path: string;
  readonly what: string;
  readonly freeMb: number;
  readonly totalMb: number;
  /** Share of the inodes that is free; 1 where the file system makes them as it goes. */
  readonly freeInodes: number;
};

/** Room on each file system that the node writes to. */
export function judgeDisks(disks: readonly DiskFacts[]): Finding[] {
  return disks.map(({ path, what, freeMb, totalMb, freeInodes }) => {
    const text = `${what} (${path}): ${freeMb} of ${totalMb} MB free`;
    const next = 'make room, or move it to a larger disk; old logs and unused droplets go first';
    if (freeMb < 500 || freeInodes < 0.01)
      return wrong('disk', freeInodes < 0.01 ? `${text}, and hardly an inode` : text, next);
    if (freeMb < 2000 || freeMb / totalMb < 0.05 || freeInodes < 0.05) return warning('disk', text, next);
    return ok('disk', text);
  });
}

export function judgeMemory({ totalMb, availableMb }: { totalMb: number; availableMb: number }): Finding[] {
  const text = `${availableMb} of ${totalMb} MB available`;
  const next = 'lower dea.memoryMb, move roles to other nodes, or give the machine more';
  if (availableMb < 100) return [wrong('memory', text, next)];
  if (availableMb < 300 || totalMb < 1800) return [warning('memory', text, next)];
  return [ok('memory', text)];
}

/**
 * Who holds the platform's ports, and whether the platform listens where it should not.
 *
 * @param isOwn does this listener belong to the node's own processes?
 */
export function judgePorts(
  listeners: readonly Listener[],
  { uses, nodeAddress, isOwn }: { uses: readonly PortUse[]; nodeAddress: string; isOwn: (one: Listener) => boolean },
): Finding[] {
  const fixed = uses.filter(({ isAnyOf, programs }) => !isAnyOf && programs.length > 0);
  const held = listeners.filter(
    (one) => !isOwn(one) && fixed.some(({ protocol, first }) => protocol === one.protocol && first === one.port),
  );
  const stray = listeners.filter((one) => isOwn(one) && findPortUse(one, uses, nodeAddress) === undefined);
  const named = ({ protocol, address, port }: Listener) => `${protocol} port ${port} at ${address}`;
  const findings = [
    ...held.map((one) =>
      wrong(
        'ports',
        `${named(one)} is taken by ${one.program || 'another program'}${one.pid > 0 ? ` (pid ${one.pid})` : ''}`,
        'stop that program (systemctl disable --now NAME), then kato start',
      ),
    ),
    ...stray.map((one) =>
      wrong('ports', `${one.program} listens on ${named(one)}, which is in no table`, 'restart its role; report this'),
    ),
  ];
  return findings.length > 0 ? findings : [ok('ports', `${fixed.length} ports are the platform's own or free`)];
}

export type NameFacts = {
  readonly name: string;
  /** Undefined when it does not exist. */
  readonly addresses: readonly string[] | undefined;
};

/** @param front addresses of the routers or load balancers */
export function judgeNames(names: readonly NameFacts[], domain: string, front: readonly string[]): Finding[] {
  const next = `let *.${domain} and ${domain} lead to ${front.join(' or ')} in your DNS`;
  const missing = names.filter(({ addresses }) => addresses === undefined || addresses.length === 0);
  if (missing.length > 0) {
    const list = missing.map(({ name }) => name).join(', ');
    return [warning('names', `this machine can't resolve ${list}`, next)];
  }
  const strange = names.flatMap(({ name, addresses = [] }) =>
    addresses.some((one) => front.includes(one)) ? [] : [`${name} is ${addresses.join(', ')}`],
  );
  if (strange.length === 0) return [ok('names', `names below ${domain} lead to this cluster`)];
  const what = `${strange.join('; ')}: none of this cluster's routers or load balancers`;
  return [warning('names', what, `${next}, unless a load balancer of your own is there`)];
}

export type CertificateFacts = {
  readonly what: string;
  readonly path: string;
  readonly fault?: string;
  readonly fromMs: number;
  readonly toMs: number;
};

const DAY_MS = 86_400_000;

/** @param renew what makes the platform's own certificates anew */
export function judgeCertificates(certificates: readonly CertificateFacts[], nowMs: number): Finding[] {
  return certificates.map(({ what, path, fault, fromMs, toMs }) => {
    const text = `${what} (${path})`;
    const next = what.startsWith('custom')
      ? 'on the Core: kato op custom_ssl_cert install'
      : 'kato op regenerate ssl_cert';
    if (fault !== undefined) return wrong('certificates', `${text}: ${fault}`, next);
    if (fromMs > nowMs) return wrong('certificates', `${text} counts only from ${dayOf(fromMs)}`, SET_CLOCK);
    if (toMs <= nowMs) return wrong('certificates', `${text} ended on ${dayOf(toMs)}`, next);
    const days = Math.floor((toMs - nowMs) / DAY_MS);
    if (days < 21) return warning('certificates', `${text} ends in ${days} days`, next);
    return ok('certificates', `${text} is good until ${dayOf(toMs)}`);
  });
}

/** Changes of the platform's data that were cut short, with the command that finishes each. */
export function judgeUnfinished(begun: readonly { readonly what: string; readonly command: string }[]): Finding[] {
  if (begun.length === 0) return [ok('data', 'no import and no move of the control database is unfinished')];
  return begun.map(({ what, command }) => wrong('data', `${what} was cut short`, command));
}

/** The control database's backups, on the node that keeps it. */
export function judgeBackups({ state, text }: ReturnType<typeof backupState>): Finding[] {
  const next = 'mend that, then: kato data backup';
  if (state === 'failed') return [wrong('backups', text, next)];
  if (state === 'late') return [wrong('backups', text, 'kato data backup; then look why: grep backup log/base.log')];
  if (state === 'off') return [warning('backups', text, 'kato config set backup.enabled true')];
  return [ok('backups', text)];
}

export function judgeVersions(
  own: string,
  nodes: readonly { readonly address: string; readonly version: string }[],
): Finding[] {
  const other = nodes.filter(({ version }) => !areCompatible(own, version));
  if (other.length > 0) {
    const list = other.map(({ address, version }) => `${address} runs ${version}`).join('; ');
    return [wrong('versions', `this node runs ${own}, but ${list}`, 'kato node upgrade')];
  }
  const different = nodes.filter(({ version }) => version !== own);
  if (different.length > 0) {
    const list = different.map(({ address, version }) => `${address} runs ${version}`).join('; ');
    return [warning('versions', `this node runs ${own}; ${list}`, 'finish the upgrade: kato node upgrade')];
  }
  return [ok('versions', `${nodes.length > 0 ? 'every node runs' : 'this node runs'} ${own}`)];
}

/** First release in which what is known of older ones is mended. */
const NATS_GOOD = [2, 9, 0] as const;

/** @param text what `nats-server --version` prints */
export function judgeBusServer(text: string): Finding[] {
  const found = /v?(\d+)\.(\d+)\.(\d+)/.exec(text);
  if (found === null) return [warning('versions', `nats-server tells no version: ${text.trim()}`, 'reinstall it')];
  const numbers = found.slice(1).map(Number);
  const name = `nats-server ${numbers.join('.')}`;
  for (const [at, least] of NATS_GOOD.entries()) {
    const number = numbers[at] ?? 0;
    if (number < least) return [wrong('versions', `${name} is too old`, 'apt-get install -y nats-server')];
    if (number > least) break;
  }
  const isOld = (numbers[0] ?? 0) === 2 && (numbers[1] ?? 0) < 10;
  const note =
    'faults published since then concern JetStream, accounts imports and no_auth_user, which are not used here';
  return [ok('versions', isOld ? `${name}: ${note}` : name)];
}

/** A feature that the kernel or the machine must have. */
export type FeatureFacts = { readonly what: string; readonly has: boolean; readonly next: string };

export function judgeFeatures(features: readonly FeatureFacts[]): Finding[] {
  const missing = features.filter(({ has }) => !has);
  if (missing.length === 0) return [ok('kernel', features.map(({ what }) => what).join(', '))];
  return missing.map(({ what, next }) => wrong('kernel', `this machine lacks ${what}`, next));
}

/** @param open files with secrets that others may read */
export function judgeSecrets(open: readonly string[]): Finding[] {
  if (open.length === 0) return [ok('secrets', 'files with secrets are closed to other accounts')];
  return open.map((path) => wrong('secrets', `${path} can be read by other accounts`, `chmod go-rwx ${path}`));
}

export function judgeProcesses(
  processes: readonly {
    readonly name: string;
    readonly ready: boolean;
    readonly state: string;
    readonly description: string;
  }[],
): Finding[] {
  const late = processes.filter(({ ready }) => !ready);
  if (late.length === 0) return [ok('processes', `all ${processes.length} are ready`)];
  return late.map(({ name, state, description }) =>
    wrong(
      'processes',
      `${name} is ${state}${description ? `: ${description}` : ''}`,
      remedyOf(name, state, description),
    ),
  );
}

function remedyOf(name: string, state: string, description: string): string {
  if (state === 'STOPPED') return 'kato start';
  if (state === 'WAITING' && description.includes('refuses')) return shutOut;
  if (state === 'WAITING') return 'it goes on by itself when the bus answers: see `kato status` on the Core node';
  return `read ${name}.log, then kato process restart ${name}`;
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
