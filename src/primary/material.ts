import { busPassword } from '../bus/server-config.ts';
import type { CredentialsFile } from '../contract/node.ts';
import { linkHost, type TopologyNode } from '../contract/topology.ts';
import { nodeLogins } from '../core/bus-permissions.ts';
import { controlDatabase, isOutsideServer, otherLogin } from '../platform/postgresql.ts';
import { derivePassword } from '../platform/secret-box.ts';

/** Processes that own tables, by the database user that owns them. */
const databaseOwners: Readonly<Record<string, string>> = { controller: 'controller', aok: 'aok' };

/** A process of another node that logs in to the control database. */
export type DatabaseLogin = { readonly name: string; readonly member: string; readonly password: string };

export type MaterialSecrets = {
  readonly nodeKey: string;
  readonly encryptionKey: string;
  readonly signingKey: string;
  readonly clientSecrets: Readonly<Record<string, string>>;
  /** The primary's own login; other nodes use the same server when it is outside of the cluster. */
  readonly databaseUrl: string;
};

export type MaterialPorts = { readonly bus: number; readonly database: number };

/** What the processes of a node that is not the Core log in with, by process. `caFile` is for the node to fill in. */
export function nodeCredentials(
  node: TopologyNode,
  secrets: MaterialSecrets,
  ports: MaterialPorts,
): Record<string, CredentialsFile> {
  const database = databaseLogins(node, secrets.nodeKey);
  return Object.fromEntries(
    nodeLogins(node).map(({ process, user }): [string, CredentialsFile] => {
      const login = database.find(({ name }) => name === user);
      const server = isOutsideServer(secrets.databaseUrl)
        ? secrets.databaseUrl
        : `postgresql://${linkHost}:${ports.database}/${controlDatabase}`;
      const keys = {
        encryptionKey: secrets.encryptionKey,
        signingKey: secrets.signingKey,
        clientSecrets: { ...secrets.clientSecrets },
      };
      return [
        process,
        {
          bus: {
            servers: [`tls://${linkHost}:${ports.bus}`],
            user,
            password: busPassword(secrets.nodeKey, { user, generation: node.generation }),
            caFile: '',
          },
          ...(login === undefined ? {} : { databaseUrl: otherLogin(server, login), ...keys }),
        },
      ];
    }),
  );
}

/** The users of the control database that a node's roles call for. */
export function databaseLogins(node: TopologyNode, nodeKey: string): DatabaseLogin[] {
  return nodeLogins(node).flatMap(({ process, user }) => {
    const member = databaseOwners[process];
    if (member === undefined) return [];
    return [{ name: user, member, password: derivePassword(nodeKey, `database ${user} ${node.generation}`) }];
  });
}
