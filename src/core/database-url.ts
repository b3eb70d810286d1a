const NAME = /^[a-z_][a-z0-9_]{0,50}$/;
const EXAMPLE = 'for example postgresql://stackato_admin:PASSWORD@db.example.com:5432/stackato';

/** Why this can't be the URL of a server for the control database, of a micro cloud or else of several nodes; undefined when it can. */
export function databaseUrlFault(text: string, { isMicro }: { isMicro: boolean }): string | undefined {
  if (!URL.canParse(text)) return `that is no URL; ${EXAMPLE}`;
  const url = new URL(text);
  if (!/^postgres(ql)?:$/.test(url.protocol)) return `it must begin with postgresql://; ${EXAMPLE}`;
  if (url.hostname === '') return `it names no host; ${EXAMPLE}`;
  if (!isMicro && /^(localhost|127\..*|\[::1\])$/.test(url.hostname)) {
    return `${url.hostname} is another machine on each node; give an address that every controller reaches`;
  }
  if (url.username === '' || url.password === '') return `it names no user and password; ${EXAMPLE}`;
  if (!NAME.test(url.pathname.slice(1))) return `it must end with a database of a-z, 0-9 and _; ${EXAMPLE}`;
  if (['postgres', 'template0', 'template1'].includes(url.pathname.slice(1)))
    return `it names the server's own database; ${EXAMPLE}`;
  const unknown = [...url.searchParams.keys()].find((key) => !['sslmode', 'sslrootcert'].includes(key));
  return unknown === undefined ? undefined : `it has the option ${unknown}; only sslmode and sslrootcert are known`;
}

/** What a server told of itself. */
export type DatabaseServerFacts = {
  /** `server_version_num`. */
  readonly version: number;
  readonly mayMakeRoles: boolean;
  readonly mayMakeDatabases: boolean;
  /** Whose the control database there is; empty for nobody's, undefined when there is none. */
  readonly owner: string | undefined;
  /** Users there that have the names of the platform's own. */
  readonly users: readonly string[];
};

const OLDEST = 13;

/**
 * Why a server can't take the control database; undefined when it can.
 *
 * @param self `owner`: how this platform signs its databases; `newest`: major version that this node's programs speak
 */
export function databaseServerFault(
  { version, mayMakeRoles, mayMakeDatabases, owner, users }: DatabaseServerFacts,
  self: { owner: string; newest: number },
): string | undefined {
  const major = Math.floor(version / 10_000);
  if (major < OLDEST || major > self.newest) {
    return `it is PostgreSQL ${major}; versions ${OLDEST} to ${self.newest} can be used`;
  }
  if (!mayMakeRoles || !mayMakeDatabases) return 'the user may not make users and databases (CREATEROLE CREATEDB)';
  if (owner === self.owner) return undefined;
  if (owner !== undefined) return 'the database is there already, and is not of this platform';
  return users.length === 0 ? undefined : `it has users ${users.join(', ')} already: another platform is there`;
}
