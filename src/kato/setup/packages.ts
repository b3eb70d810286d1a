import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { RoleName } from '../../contract/node.ts';
import { environment } from '../../platform/config.ts';
import { ExecError, exec } from '../../platform/exec.ts';
import { readTextIfExists } from '../../platform/files.ts';
import { Refusal } from '../refusal.ts';
import type { Step } from './step.ts';

/** Debian packages that the platform runs on. */
export const debianPackages: readonly string[] = [
  'btrfs-progs',
  'ca-certificates',
  'conmon',
  'debian-archive-keyring',
  'git',
  'haproxy',
  'iproute2',
  'kmod',
  'mmdebstrap',
  'mount',
  'nats-server',
  'nftables',
  'openssl',
  'postgresql-15',
  'procps',
  'runc',
  'supervisor',
  'tini',
  'util-linux',
];

/** Debian packages that only nodes with these roles need. */
export const rolePackages: Readonly<Partial<Record<RoleName, readonly string[]>>> = {
  load_balancer: ['libnginx-mod-http-lua', 'nginx'],
};

const POLICY = '/usr/sbin/policy-rc.d';
const CLUSTER_CONFIG = '/etc/postgresql-common/createcluster.conf';
/** Services that come with packages; one that was there before is the operator's, and left as it is. */
const SERVICES: ReadonlyMap<string, string> = new Map([
  ['haproxy', 'haproxy'],
  ['nats-server', 'nats-server'],
  ['nginx', 'nginx'],
  ['postgresql-common', 'postgresql'],
  ['supervisor', 'supervisor'],
]);
const FORMAT = '${Package} ${db:Status-Status}\\n';
const INSTALL_TIMEOUT_MS = 900_000;

/** Installs what is missing, without letting the packages start services of their own. */
export const installPackages: Step = {
  title: 'Debian packages',
  run: async ({ signal }) => ((await ensurePackages(debianPackages, signal)) ? 'done' : 'already'),
};

/** Installs what the roles that were asked for need besides. */
export const installRolePackages: Step = {
  title: 'Debian packages of the roles',
  run: async ({ options, signal }) =>
    (await ensureRolePackages(options.roles as RoleName[], signal)) ? 'done' : 'already',
};

/** Installs what these roles need besides; false when nothing was missing. */
export function ensureRolePackages(roles: readonly RoleName[], signal: AbortSignal): Promise<boolean> {
  return ensurePackages(
    roles.flatMap((role) => rolePackages[role] ?? []),
    signal,
  );
}

/** Installs those Debian packages that are missing, without letting them start services; false when none was. */
export async function ensurePackages(wanted: readonly string[], signal: AbortSignal): Promise<boolean> {
  const missing = wanted.length === 0 ? [] : await listMissing(wanted);
  const interrupted = servicesOf((await readTextIfExists(POLICY)) ?? '');
  if (missing.length === 0 && interrupted === undefined) return false;
  const absent = new Set(await listMissing([...SERVICES.keys()]));
  const fresh = [...SERVICES].filter(([name]) => absent.has(name)).map(([, service]) => service);
  await withoutServices([...new Set([...(interrupted ?? []), ...fresh])], async () => {
    if (missing.length === 0) return;
    await preventDefaultDatabase(missing);
    try {
      await install(missing, signal);
    } catch (error) {
      if (!(error instanceof ExecError)) throw error;
      await refreshLists(signal);
      await install(missing, signal);
    }
  });
  return missing.length > 0;
}

/** Packages of the list that are not installed. */
export async function listMissing(wanted = debianPackages): Promise<string[]> {
  const { stdout } = await exec(['dpkg-query', '-W', '-f', FORMAT, ...wanted], {
    okCodes: [0, 1],
  });
  const installed = new Set(
    stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return wanted.filter((name) => !installed.has(name));
}

async function install(packages: readonly string[], signal: AbortSignal): Promise<void> {
  await exec(
    [
      'apt-get',
      'install',
      '--yes',
      '--no-install-recommends',
      '-o',
      'DPkg::Lock::Timeout=120',
      '-o',
      'Dpkg::Options::=--force-confold',
      ...packages,
    ],
    { env: aptEnvironment(), timeoutMs: INSTALL_TIMEOUT_MS, signal },
  );
}

async function refreshLists(signal: AbortSignal): Promise<void> {
  try {
    await exec(['apt-get', 'update'], { env: aptEnvironment(), timeoutMs: INSTALL_TIMEOUT_MS, signal });
  } catch (cause) {
    throw new Refusal('the Debian package lists could not be fetched', 'check /etc/apt/sources.list and the network', {
      cause,
    });
  }
}

function aptEnvironment(): Record<string, string> {
  const proxies = Object.entries(environment.all()).filter(([name]) => /^(https?|no|all)_proxy$/i.test(name));
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LC_ALL: 'C.UTF-8',
    HOME: '/root',
    DEBIAN_FRONTEND: 'noninteractive',
    ...Object.fromEntries(proxies.map(([name, value]) => [name, value ?? ''])),
  };
}

/**
 * The policy that keeps packages from starting these services. It says which they are, so that a set-up that was
 * interrupted is finished by the next.
 */
export function policyText(services: readonly string[]): string {
  const said = `# Written by kato during set-up: packages must not start services.\n# New: ${services.join(' ')}\n`;
  return `#!/bin/sh\n${said}exit 101\n`;
}

/** The services in a policy of ours; undefined when it is somebody else's, or none. */
export function servicesOf(policy: string): string[] | undefined {
  if (!policy.includes('# Written by kato during set-up')) return undefined;
  return (/^# New: (.+)$/m.exec(policy)?.[1] ?? '').split(' ').filter(Boolean);
}

/** A policy of the operator's own is left alone, and trusted to be what they want. */
async function withoutServices(fresh: readonly string[], task: () => Promise<void>): Promise<void> {
  const existing = await readTextIfExists(POLICY);
  const isOurs = existing === undefined || servicesOf(existing) !== undefined;
  if (isOurs) {
    await writeFile(POLICY, policyText(fresh));
    await chmod(POLICY, 0o755);
  }
  try {
    await task();
  } finally {
    await disableServices(fresh);
    if (isOurs) await rm(POLICY, { force: true });
  }
}

/** Debian's package would make and start a database server of its own on port 5432. */
async function preventDefaultDatabase(missing: readonly string[]): Promise<void> {
  if (!missing.includes('postgresql-15')) return;
  const existing = (await readTextIfExists(CLUSTER_CONFIG)) ?? '';
  if (/^\s*create_main_cluster\s*=/m.test(existing)) return;
  await mkdir('/etc/postgresql-common', { recursive: true });
  await writeFile(CLUSTER_CONFIG, `${existing}create_main_cluster = false\n`);
}

/** Where systemd runs, the new packages' own services would come at the next boot and take our ports. */
async function disableServices(services: readonly string[]): Promise<void> {
  const init = (await readFile('/proc/1/comm', 'utf8')).trim();
  if (init !== 'systemd' || services.length === 0) return;
  await exec(['systemctl', 'disable', '--now', ...services], { okCodes: [0, 1, 5] });
}
