import { existsSync, rmSync } from 'node:fs';
import { chmod, chown, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Db, type Migration, migrate, openDatabase } from '../db.ts';
import { exec, start } from '../exec.ts';

const BIN = '/usr/lib/postgresql/15/bin';
const READY_TIMEOUT_MS = 30_000;
const FAST = ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'wal_level=minimal', 'max_wal_senders=0'];
const SMALL = ['listen_addresses=', 'shared_buffers=16MB', 'max_connections=60', 'autovacuum=off'];

/** A database of its own for one test. `url` opens more connections to it. */
export type TemporaryDatabase<S> = { readonly db: Db<S>; readonly url: string } & AsyncDisposable;

type Server = { readonly directory: string };

let server: Promise<Server> | undefined;
let count = 0;
const templates = new Map<string, Promise<string>>();

/**
 * An empty, migrated database on a PostgreSQL server that belongs to this test process and ends with it. The
 * migrations run once per schema; each further database is a copy. Dispose it with `await using`.
 *
 * @throws when the Debian package postgresql-15 is not installed or the server does not come up within 30 s
 */
export async function temporaryDatabase<S>(options: {
  schema: string;
  migrations?: readonly Migration[];
}): Promise<TemporaryDatabase<S>> {
  const { directory } = await (server ??= startServer());
  const template = await templateOf(directory, options.schema, options.migrations ?? []);
  const name = `test_${++count}`;
  await administer(directory, 'createdb', ['--template', template, name]);
  const db = openDatabase<S>(urlOf(directory, name), { schema: options.schema, max: 5 });
  return {
    db,
    url: urlOf(directory, name),
    [Symbol.asyncDispose]: async () => {
      await db.destroy();
      await administer(directory, 'dropdb', ['--force', name]);
    },
  };
}

function templateOf(directory: string, schema: string, migrations: readonly Migration[]): Promise<string> {
  const key = [schema, ...migrations.map((migration) => migration.name)].join(' ');
  const known = templates.get(key);
  if (known) return known;
  const made = makeTemplate(directory, `template_${templates.size + 1}`, { schema, migrations });
  templates.set(key, made);
  return made;
}

async function makeTemplate(
  directory: string,
  name: string,
  options: { schema: string; migrations: readonly Migration[] },
): Promise<string> {
  await administer(directory, 'createdb', [name]);
  const db = openDatabase<unknown>(urlOf(directory, name), { schema: options.schema, max: 1 });
  try {
    await migrate(db, options.schema, options.migrations);
  } finally {
    await db.destroy();
  }
  return name;
}

function urlOf(directory: string, database: string): string {
  return `postgresql://postgres@localhost/${database}?host=${encodeURIComponent(directory)}`;
}

async function administer(directory: string, command: string, args: readonly string[]): Promise<void> {
  await exec([join(BIN, command), '--host', directory, '--username', 'postgres', ...args]);
}

async function startServer(): Promise<Server> {
  const directory = await mkdtemp(join(tmpdir(), 'stackato-pg-'));
  process.once('exit', () => removeWhileServerEnds(directory));
  await chmod(directory, 0o755);
  const data = join(directory, 'data');
  const asUser = await privileges(directory);
  await exec([
    ...[...asUser, join(BIN, 'initdb'), '--pgdata', data, '--username', 'postgres', '--auth', 'trust'],
    ...['--no-sync', '--no-instructions', '--encoding', 'UTF8', '--locale', 'C.UTF-8'],
  ]);
  const settings = [...FAST, ...SMALL, `unix_socket_directories=${directory}`].flatMap((setting) => ['-c', setting]);
  const child = start([...asUser, join(BIN, 'postgres'), '-D', data, ...settings], {}, ['ignore', 'ignore', 'pipe']);
  process.prependOnceListener('exit', () => child.kill('SIGQUIT'));
  await ready(child);
  child.unref();
  (child.stderr as unknown as { unref(): void }).unref();
  return { directory };
}

/** The server refuses to run as root; and it must not outlive the test process, however that one ends. */
async function privileges(directory: string): Promise<string[]> {
  const withParent = ['setpriv', '--pdeathsig', 'QUIT'];
  if (process.getuid?.() !== 0) return withParent;
  const id = async (flag: string) => Number((await exec(['id', flag, 'postgres'])).stdout);
  const [uid, gid] = [await id('-u'), await id('-g')];
  await chown(directory, uid, gid);
  return [...withParent, '--reuid', String(uid), '--regid', String(gid), '--clear-groups'];
}

/** The dying server still removes files of its own, which can make one attempt fail. */
function removeWhileServerEnds(directory: string): void {
  for (let attempt = 1; existsSync(directory); attempt += 1) {
    try {
      rmSync(directory, { recursive: true, force: true });
    } catch (error) {
      if (attempt === 20) throw error;
    }
  }
}

function ready(child: ReturnType<typeof start>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let said = '';
  const fail = (why: string) => reject(new Error(`the test database server ${why}: ${said}`));
  const timer = setTimeout(() => fail(`was not ready within ${READY_TIMEOUT_MS} ms`), READY_TIMEOUT_MS);
  child.once('error', (error) => fail(`could not start (${error.message})`));
  child.once('exit', (code) => fail(`ended with ${code}`));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-4000);
    if (said.includes('ready to accept connections')) resolve();
  });
  return promise.finally(() => clearTimeout(timer));
}
