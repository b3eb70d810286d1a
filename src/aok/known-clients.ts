import { createHash, timingSafeEqual } from 'node:crypto';
import { adminGroups, userGroups } from './scopes.ts';
import type { Client } from './store/clients.ts';

type Definition = Omit<Client, 'id' | 'secretHash'>;

const forItself = (authorities: readonly string[]): Definition => ({
  grantTypes: ['client_credentials'],
  scopes: ['uaa.none'],
  authorities,
  redirectUris: [],
  autoapprove: true,
});

/** The platform's own OAuth clients. All but `cf` are made only when this node has a secret for them. */
const definitions: Readonly<Record<string, Definition>> = {
  cf: {
    grantTypes: ['password', 'refresh_token'],
    scopes: [...userGroups, ...adminGroups, 'cloud_controller.admin_read_only', 'cloud_controller.global_auditor'],
    authorities: ['uaa.none'],
    redirectUris: [],
    autoapprove: true,
  },
  'ssh-proxy': {
    grantTypes: ['authorization_code'],
    scopes: ['openid', 'cloud_controller.read', 'cloud_controller.write', 'cloud_controller.admin'],
    authorities: ['uaa.none'],
    redirectUris: ['http://localhost/'],
    autoapprove: true,
  },
  cloud_controller: forItself(['scim.read', 'scim.userids', 'uaa.resource']),
  cloud_controller_username_lookup: forItself(['scim.userids']),
  'cc-service-dashboards': forItself(['clients.read', 'clients.write', 'clients.admin']),
};

/** The clients to have, given the secrets this node knows. `cf` is a public client: its secret is empty. */
export function knownClients(secrets: Readonly<Record<string, string>>): readonly Client[] {
  return Object.entries(definitions).flatMap(([id, definition]) => {
    const secret = id === 'cf' ? '' : secrets[id];
    return secret === undefined ? [] : [{ id, secretHash: hashSecret(secret), ...definition }];
  });
}

/** SHA-256 of a random secret or token, base64url. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('base64url');
}

export function isSecretOf(client: Client, secret: string): boolean {
  return timingSafeEqual(Buffer.from(hashSecret(secret)), Buffer.from(client.secretHash));
}
