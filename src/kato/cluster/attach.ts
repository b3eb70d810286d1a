import { mkdir, readFile, rename } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, join as joinPath } from 'node:path';
import Type, { type Static } from 'typebox';
import { decode } from '../../contract/decode.ts';
import { NodeFile } from '../../contract/node.ts';
import type { NodeMaterial } from '../../contract/registry.ts';
import { platformVersion } from '../../contract/version.ts';
import { listProcesses } from '../../core/role-plan.ts';
import { systemClock } from '../../platform/clock.ts';
import { environment } from '../../platform/config.ts';
import { isMissing, readJsonIfExists } from '../../platform/files.ts';
import { findAddress } from '../../platform/network-address.ts';
import { writeOwnedFile } from '../../platform/owned-files.ts';
import { type Paths, pathsOf } from '../../platform/paths.ts';
import { systemRandom } from '../../platform/random.ts';
import { ensureUser, getUser } from '../../platform/system-user.ts';
import { makeCertificateRequest } from '../../platform/tls.ts';
import { startProcesses, stopNode } from '../lifecycle.ts';
import { type Node, openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { installBootService } from '../setup/boot-service.ts';
import { ensureLinks } from '../setup/links.ts';
import { checkMachine } from '../setup/machine.ts';
import { beginSetUp, endSetUp } from '../setup/marks.ts';
import { installPackages, installRolePackages } from '../setup/packages.ts';
import { checkPorts } from '../setup/ports.ts';
import { roleSteps } from '../setup/role-steps.ts';
import { makeFolders, writeNode } from '../setup/state-folder.ts';
import { runSteps, type SetupContext, type Step } from '../setup/step.ts';
import type { Terminal } from '../terminal.ts';
import { join, parseToken } from './join-client.ts';
import { writeMaterial } from './material.ts';
import { RegistryClient } from './registry-client.ts';

export type AttachOptions = {
  readonly coreAddress: string;
  readonly roles: readonly string[];
  /** As printed by `kato node token`; a repeated attach knows it. */
  readonly token: string | undefined;
  readonly isVersionForced: boolean;
  readonly joinPort: number;
};

const root = { uid: 0, gid: 0 };
const KNOWN_WITHIN_MS = 30_000;

/** What an attach in progress must not lose: repeated, it is the same machine to the Core. */
const JoinFile = Type.Object({
  id: Type.String(),
  coreAddress: Type.String(),
  token: Type.String(),
  key: Type.String(),
  csr: Type.String(),
  supervisorPassword: Type.String(),
});
type JoinFile = Static<typeof JoinFile>;

/** Makes this machine a node of a cluster. Safe to repeat: what an interrupted attach did is not done again. */
export async function attach(
  options: AttachOptions,
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<NodeFile> {
  const { state } = environment;
  const paths = pathsOf(state);
  const setup = { kind: 'micro', domain: undefined, email: undefined, org: '', password: undefined } as const;
  const context: SetupContext = {
    options: { ...setup, roles: options.roles, welcome: false, state },
    terminal,
    signal,
    notes: [],
    node: () => openNode(state),
  };
  await refuseOtherCluster(paths, options);
  await runSteps(attachSteps(paths, options), context);
  await endSetUp(paths);
  for (const note of context.notes) terminal.say(`note: ${note}`);
  return (await context.node()).file;
}

function attachSteps(paths: Paths, options: AttachOptions): Step[] {
  return [
    checkMachine,
    installPackages,
    installRolePackages,
    { title: 'Leave the micro cloud', run: (context) => leaveMicroCloud(paths, context) },
    {
      title: `Join the cluster of ${options.coreAddress}`,
      run: async () => {
        const outcome = await joinCluster(paths, options);
        await beginSetUp(paths, `kato node attach ${options.coreAddress} -e ${options.roles.join(',')}`);
        return outcome;
      },
    },
    checkPorts,
    ...roleSteps,
    {
      title: 'Links between nodes',
      run: async ({ node }) => ((await ensureLinks(await node())) ? 'done' : 'already'),
    },
    { title: 'Start the roles', run: startRoles },
    installBootService,
  ];
}

async function startRoles(context: SetupContext): Promise<'done'> {
  const node = await context.node();
  const say = (text: string) => context.terminal.say(`        ${text}`);
  await startProcesses(node, listProcesses(node.file), { say, signal: context.signal });
  await untilKnown(node, context.signal);
  return 'done';
}

/** The Core lets this node's links in a moment after it took it in. */
async function untilKnown(node: Node, signal: AbortSignal): Promise<void> {
  const registry = new RegistryClient(node);
  const endMs = systemClock.nowMs() + KNOWN_WITHIN_MS;
  for (;;) {
    try {
      await registry.topology();
      return;
    } catch (error) {
      if (!(error instanceof Refusal) || systemClock.nowMs() > endMs) throw error;
    }
    await systemClock.sleep(250, signal);
  }
}

/** A node of a cluster is attached to another one only after it was detached. */
async function refuseOtherCluster(paths: Paths, { coreAddress }: AttachOptions): Promise<void> {
  const file = await readJsonIfExists(paths.nodeFile);
  if (file === undefined) return;
  const node = decode(NodeFile, file, paths.nodeFile);
  if (node.isMicro || node.coreAddress === coreAddress) {
    if (node.isMicro || !node.roles.includes('primary')) return;
    throw new Refusal('this is the Core node of a cluster: it can not be attached to itself');
  }
  throw new Refusal(
    `this node belongs to the cluster of ${node.coreAddress}`,
    node.roles.includes('primary')
      ? 'give each machine one place: a Core node is not attached'
      : 'run `kato node detach` first',
  );
}

/** A cloned machine brings a micro cloud along. It is stopped and put aside whole, for who wants it back. */
async function leaveMicroCloud(paths: Paths, context: SetupContext): Promise<'done' | 'already'> {
  const file = await readJsonIfExists(paths.nodeFile);
  if (file === undefined || !decode(NodeFile, file, paths.nodeFile).isMicro) return 'already';
  const node = await context.node();
  const say = (text: string) => context.terminal.say(`        ${text}`);
  await stopNode(node, { say, signal: context.signal });
  const aside = joinPath(paths.state, 'before-attach', new Date(systemClock.nowMs()).toISOString().replaceAll(':', ''));
  await mkdir(aside, { recursive: true, mode: 0o700 });
  const own = [
    paths.tls,
    joinPath(paths.state, 'credentials'),
    paths.nats,
    paths.postgresql,
    paths.blobs,
    paths.logyard,
  ];
  for (const folder of [
    ...own,
    paths.router,
    joinPath(paths.setup, 'secrets.json'),
    paths.clusterFile,
    paths.nodeFile,
  ]) {
    await moveIfThere(folder, joinPath(aside, basename(folder)));
  }
  context.notes.push(`what the micro cloud knew (users, apps, secrets) is kept in ${aside}`);
  return 'done';
}

async function moveIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

async function joinCluster(paths: Paths, options: AttachOptions): Promise<'done'> {
  await makeFolders(paths, { stackato: await ensureUser('stackato'), postgres: await getUser('postgres') });
  const joining = await rememberJoin(paths, options);
  const address = await findAddress();
  const material = await join({ address: options.coreAddress, port: options.joinPort }, parseToken(joining.token).pin, {
    token: parseToken(joining.token).secret,
    id: joining.id,
    address,
    name: hostname(),
    version: platformVersion,
    isVersionForced: options.isVersionForced,
    roles: [...options.roles],
    csr: joining.csr,
    clockMs: systemClock.nowMs(),
  });
  const supervisor = { user: 'kato', password: joining.supervisorPassword };
  await writeMaterial(paths, material, { key: joining.key, supervisor });
  await writeNode(paths, nodeFileOf(material, { joining, address, coreAddress: options.coreAddress }));
  return 'done';
}

function nodeFileOf(
  { index, roles, topology }: NodeMaterial,
  own: { joining: JoinFile; address: string; coreAddress: string },
): NodeFile {
  const hostsFile = environment.stackato('HOSTS_FILE');
  const entry = topology.nodes.find(({ id }) => id === own.joining.id);
  return {
    ...{ id: own.joining.id, index, address: own.address, coreAddress: own.coreAddress, roles },
    zone: entry?.zones[0] ?? 'default',
    zones: entry?.zones ?? [],
    availabilityZone: entry?.availabilityZone ?? 'default',
    ...(hostsFile === undefined ? {} : { hostsFile }),
  };
}

async function rememberJoin(paths: Paths, { coreAddress, token }: AttachOptions): Promise<JoinFile> {
  const file = joinFile(paths);
  const text = await readJsonIfExists(file);
  const earlier = text === undefined ? undefined : decode(JoinFile, text, file);
  if (earlier?.coreAddress === coreAddress && (token === undefined || token === earlier.token)) return earlier;
  if (token === undefined) {
    throw new Refusal(
      'a join token is needed',
      'make one on the Core node (kato node token) and give it with --token or in STACKATO_JOIN_TOKEN',
    );
  }
  parseToken(token);
  const id = earlier?.id ?? systemRandom.hex(16);
  const made = {
    id,
    coreAddress,
    token,
    ...(await makeCertificateRequest(id)),
    // Kept with another token too: a supervisord that runs knows no other.
    supervisorPassword: earlier?.supervisorPassword ?? systemRandom.hex(24),
  };
  await writeOwnedFile(file, `${JSON.stringify(made, null, 2)}\n`, { owner: root, mode: 0o600 });
  return made;
}

/** What this machine joined its cluster with. */
export function joinFile(paths: Paths): string {
  return joinPath(paths.setup, 'join.json');
}

/** The supervisor's password of a node that joined, and the key of its certificate. */
export async function readJoin(paths: Paths): Promise<JoinFile> {
  return decode(JoinFile, JSON.parse(await readFile(joinFile(paths), 'utf8')), joinFile(paths));
}

/** The Core that this machine joined is at another address now. */
export async function moveJoin(paths: Paths, coreAddress: string): Promise<void> {
  const joined = { ...(await readJoin(paths)), coreAddress };
  await writeOwnedFile(joinFile(paths), `${JSON.stringify(joined, null, 2)}\n`, { owner: root, mode: 0o600 });
}

/** Another key for this node's certificate, which the next answer of the Core is for. */
export async function renewJoinKey(paths: Paths): Promise<void> {
  const known = await readJoin(paths);
  const joined = { ...known, ...(await makeCertificateRequest(known.id)) };
  await writeOwnedFile(joinFile(paths), `${JSON.stringify(joined, null, 2)}\n`, { owner: root, mode: 0o600 });
}
