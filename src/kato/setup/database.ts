import { rename, rm } from 'node:fs/promises';
import { exec } from '../../platform/exec.ts';
import { exists } from '../../platform/files.ts';
import { writeOwnedFile } from '../../platform/owned-files.ts';
import { postgresqlBinary, postgresqlPaths } from '../../platform/postgresql.ts';
import { getUser } from '../../platform/system-user.ts';
import type { Node } from '../node.ts';
import type { Step } from './step.ts';

/** The control database's folder and its settings; the server is started with the other processes. */
export const makeDatabase: Step = {
  title: 'Control database',
  run: async (context) => {
    const node = await context.node();
    const made = await initialise(node);
    return (await writeSettings(node)) || made ? 'done' : 'already';
  },
};

/** Made beside and renamed, so that a folder of that name is always a whole database. */
async function initialise({ paths }: Node): Promise<boolean> {
  const { data } = postgresqlPaths(paths);
  const { uid, gid } = await getUser('postgres');
  if (await exists(data)) return false;
  const fresh = `${data}.new`;
  await rm(fresh, { recursive: true, force: true });
  await exec(
    [
      postgresqlBinary('initdb'),
      '--pgdata',
      fresh,
      '--username',
      'postgres',
      '--auth',
      'reject',
      '--encoding',
      'UTF8',
      '--locale',
      'C.UTF-8',
      '--no-instructions',
    ],
    { uid, gid, cwd: '/', timeoutMs: 120_000 },
  );
  await rename(fresh, data);
  return true;
}

async function writeSettings({ paths }: Node): Promise<boolean> {
  const at = postgresqlPaths(paths);
  const owner = await getUser('postgres');
  const settings = {
    data_directory: at.data,
    hba_file: at.hba,
    ident_file: at.ident,
    // Over the socket alone; the socket's folder is closed to containers.
    listen_addresses: '',
    unix_socket_directories: at.socketFolder,
    password_encryption: 'scram-sha-256',
    max_connections: '100',
    shared_buffers: '32MB',
    work_mem: '4MB',
    maintenance_work_mem: '32MB',
    max_wal_size: '512MB',
    jit: 'off',
    huge_pages: 'off',
    timezone: 'UTC',
    log_timezone: 'UTC',
  };
  const lines = Object.entries(settings).map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'`);
  const ownership = { owner, mode: 0o600 };
  const hba = '# TYPE DATABASE USER METHOD\nlocal all postgres peer\nlocal all all scram-sha-256\n';
  const wrote = [
    await writeOwnedFile(at.config, `# Written by kato; changes are overwritten.\n${lines.join('\n')}\n`, ownership),
    await writeOwnedFile(at.hba, hba, ownership),
    await writeOwnedFile(at.ident, '', ownership),
  ];
  return wrote.some(Boolean);
}
