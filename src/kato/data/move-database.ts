import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import Type from 'typebox';
import { decode } from '../../contract/decode.ts';
import { databaseServerFault, databaseUrlFault } from '../../core/database-url.ts';
import { listProcesses } from '../../core/role-plan.ts';
import { readJsonIfExists, writeFileAtomic } from '../../platform/files.ts';
import type { Paths } from '../../platform/paths.ts';
import { postgresqlVersion } from '../../platform/postgresql.ts';
import { getUser } from '../../platform/system-user.ts';
import type { OtherNode } from '../cluster/others.ts';
import { type LifecycleOptions, startProcesses, stopProcesses } from '../lifecycle.ts';
import { type Node, openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { readSecrets, type Secrets, writeSecrets } from '../setup/secrets.ts';
import { writeCredentials, writeNode } from '../setup/state-folder.ts';
import { prepareControlDatabase } from '../store/control-database.ts';
import { type DatabaseServer, databaseServer, outsideServer, ownServer } from '../store/database-server.ts';
import {
  allSchemas,
  dropReplacedDatabase,
  fillImportDatabase,
  importDatabase,
  switchDatabases,
} from '../store/imported-database.ts';
import { allowConnections, countRows, dumpSchemas, readServerFacts, signDatabase } from '../store/moved-database.ts';
import { workFolder } from './export.ts';
import { inWords, renewOtherControllers, stopWriters } from './other-controllers.ts';
import { requireAnswer, requireCore } from './server.ts';

/** What a move did. */
export type Moved = {
  readonly from: string;
  readonly to: string;
  readonly rows: number;
  /** Further controllers that do not use it yet. */
  readonly controllersAway: readonly OtherNode[];
};

const OWN = 'the Core';

const journal = (paths: Paths) => join(paths.setup, 'database-move.json');

const Journal = Type.Object({ to: Type.Union([Type.String(), Type.Null()]) });

/** A move that was begun and not finished: to which server, null for the Core's own. */
export async function findUnfinishedMove(paths: Paths): Promise<{ to: string | null } | undefined> {
  const value = await readJsonIfExists(journal(paths));
  return value === undefined ? undefined : decode(Journal, value, journal(paths));
}

/**
 * Moves the control database to a server of the operator's, or back. Where it was it is closed before the switch, so that
 * nothing is written there after it was copied; repeating it after an interruption finishes it.
 *
 * @param url of the server to move to; undefined for the Core's own
 */
export async function moveDatabase(node: Node, url: string | undefined, options: LifecycleOptions): Promise<Moved> {
  requireCore(node);
  const fault = url === undefined ? undefined : databaseUrlFault(url, { isMicro: node.file.isMicro ?? false });
  if (fault !== undefined) throw new Refusal(`database.url: ${fault}`);
  const secrets = await readSecrets(node.paths);
  const to = url === undefined ? ownServer(node.paths, secrets.database) : outsideServer(url, secrets.database);
  const name = (server: DatabaseServer) => server.outside ?? OWN;
  if (secrets.databaseServer === url) {
    if ((await findUnfinishedMove(node.paths)) !== undefined) await stopWriters(node, options);
    return { from: name(to), to: name(to), rows: 0, controllersAway: await finish(node, to, options) };
  }
  const from = databaseServer(node.paths, secrets);
  if (to.outside !== undefined) await requireFit(to, ownerOf(node));
  const rows = await move(node, { from, to, url, secrets, options });
  return { from: name(from), to: name(to), rows, controllersAway: await finish(node, to, options) };
}

/** After a move that was cut short, if there is one, everything uses the server that holds the data: the new one from the switch on. */
export async function settleUnfinishedMove(node: Node, options: LifecycleOptions): Promise<boolean> {
  const moving = await findUnfinishedMove(node.paths);
  if (moving === undefined) return false;
  options.say(`the move of the control database to ${moving.to ?? OWN} was cut short`);
  await stopWriters(node, options);
  const away = await finish(node, databaseServer(node.paths, await readSecrets(node.paths)), options);
  for (const line of inWords(away)) options.say(line);
  return true;
}

/** Refuses a server that can't take the data. */
async function requireFit(server: DatabaseServer, owner: string): Promise<void> {
  await requireAnswer(server, 'postgres');
  const newest = Number(postgresqlVersion);
  const fault = databaseServerFault(await readServerFacts(server), { owner, newest });
  if (fault !== undefined) throw new Refusal(`the database server ${server.outside}: ${fault}; nothing was changed`);
}

const ownerOf = ({ file }: Node) => `Stackato ${file.id}`;

type Move = {
  from: DatabaseServer;
  to: DatabaseServer;
  url: string | undefined;
  secrets: Secrets;
  options: LifecycleOptions;
};

async function move(node: Node, { from, to, url, secrets, options }: Move): Promise<number> {
  const { paths, file } = node;
  await using folder = await workFolder(paths);
  await writeFileAtomic(journal(paths), `${JSON.stringify({ to: to.outside ?? null })}\n`, 0o600);
  await stopWriters(node, options);
  await startOwnServer(node, options);
  // A move that was cut short may have closed it.
  await allowConnections(from, true);
  options.say(`copying the control database from ${from.outside ?? OWN} to ${to.outside ?? OWN}`);
  const path = join(folder.path, 'database.dump');
  await using writing = await open(path, 'wx', 0o600);
  await dumpSchemas(from, { fd: writing.fd, signal: options.signal });
  await using reading = await open(path, 'r');
  await fill(to, { reading, secrets, isCluster: !file.isMicro, signal: options.signal });
  const rows = await countRows(from, from.database);
  if (!isDeepStrictEqual(rows, await countRows(to, importDatabase))) {
    throw new Refusal('the copy differs from the control database; nothing was switched', 'run it again');
  }
  await signDatabase(to, importDatabase, ownerOf(node));
  await switchDatabases(to);
  await prepareControlDatabase(to, secrets.database, { isCluster: !file.isMicro });
  await allowConnections(from, false);
  const { databaseServer: _, ...rest } = secrets;
  await writeSecrets(paths, url === undefined ? rest : { ...rest, databaseServer: url });
  return Object.values(rows).reduce((sum, count) => sum + count, 0);
}

async function fill(
  to: DatabaseServer,
  options: { reading: FileHandle; secrets: Secrets; isCluster: boolean; signal: AbortSignal },
): Promise<void> {
  const { reading, secrets, isCluster, signal } = options;
  await fillImportDatabase(to, secrets.database, { dumpFd: reading.fd, isCluster, schemas: allSchemas, signal });
}

/** Everything on this node begins to use the server that the secrets name. */
async function finish(node: Node, to: DatabaseServer, options: LifecycleOptions): Promise<OtherNode[]> {
  const { paths, file, config } = node;
  const isOutside = to.outside !== undefined;
  const { isDatabaseOutside: _, ...rest } = file;
  await writeCredentials(paths, await getUser('stackato'), { busPort: config.bus.port });
  if (isOutside && !file.isDatabaseOutside) await stopProcesses(node, postgresqlOf(node), options);
  await writeNode(paths, isOutside ? { ...rest, isDatabaseOutside: true } : rest);
  const after = await openNode(paths.state);
  if (!isOutside) await startOwnServer(after, options);
  await allowConnections(to, true);
  await startProcesses(after, listProcesses(after.file), options);
  const away = await renewOtherControllers(after, options);
  await dropReplacedDatabase(to);
  await rm(journal(paths), { force: true });
  return away;
}

/** The Core's own server runs while data comes from it or goes to it. */
async function startOwnServer(node: Node, options: LifecycleOptions): Promise<void> {
  const { isDatabaseOutside: _, ...file } = node.file;
  const own = { ...node, file };
  await startProcesses(own, postgresqlOf(own), options);
}

function postgresqlOf({ file }: Node) {
  return listProcesses({ roles: file.roles, isMicro: file.isMicro }).filter(({ name }) => name === 'postgresql');
}
