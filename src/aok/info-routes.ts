import type { FastifyInstance, FastifyRequest } from 'fastify';
import { systemHosts } from '../contract/hosts.ts';
import { pemOf } from './key-ring.ts';
import type { Aok } from './service.ts';

/** Level of the UAA whose interface this is; clients compare it. */
const UAA_LEVEL = '77.20.0';

/** What the login server says about itself to anyone: prompts, links, public keys. */
export function infoRoutes(server: FastifyInstance, aok: Aok): void {
  const hosts = systemHosts(aok.config.cluster.domain);
  const baseOf = (request: FastifyRequest, host: string) => {
    const forwarded = request.headers['x-forwarded-proto'];
    const scheme = (typeof forwarded === 'string' && forwarded.split(',')[0]?.trim()) || request.protocol;
    const port = /:(\d+)$/.exec(request.headers.host ?? '')?.[0] ?? '';
    return `${scheme === 'https' ? 'https' : 'http'}://${host}${port}`;
  };
  const about = (request: FastifyRequest) => {
    const login = baseOf(request, hosts.login);
    return {
      app: { version: UAA_LEVEL },
      links: { uaa: baseOf(request, hosts.uaa), login },
      zone_name: 'uaa',
      entityID: hosts.login,
      prompts: {
        username: ['text', 'Email'],
        password: ['password', 'Password'],
        // Clients ask this of who wants single sign-on; without it they would ask an empty question.
        passcode: ['password', 'Temporary Authentication Code (not offered here: log in with user name and password)'],
      },
      timestamp: new Date(aok.clock.nowMs()).toISOString(),
    };
  };
  server.get('/login', async (request) => about(request));
  server.get('/info', async (request) => about(request));
  server.get('/healthz', async () => 'ok');

  server.get('/token_keys', async () => ({ keys: await publicKeys(aok) }));
  server.get('/token_key', async () => (await publicKeys(aok))[0]);

  server.get('/.well-known/openid-configuration', async (request) => {
    const login = baseOf(request, hosts.login);
    const uaa = baseOf(request, hosts.uaa);
    return {
      issuer: aok.tokens.issuer,
      authorization_endpoint: `${login}/oauth/authorize`,
      token_endpoint: `${login}/oauth/token`,
      userinfo_endpoint: `${login}/userinfo`,
      jwks_uri: `${uaa}/token_keys`,
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      token_endpoint_auth_signing_alg_values_supported: ['RS256'],
      id_token_signing_alg_values_supported: ['RS256'],
      response_types_supported: ['code'],
      grant_types_supported: ['password', 'refresh_token', 'client_credentials', 'authorization_code'],
      subject_types_supported: ['public'],
      scopes_supported: ['openid'],
      claims_supported: [
        'sub',
        'user_name',
        'origin',
        'iss',
        'auth_time',
        'iat',
        'exp',
        'email',
        'jti',
        'scope',
        'aud',
      ],
    };
  });
}

/** As JWK, and as PEM in `value`, where older clients look. */
async function publicKeys(aok: Aok) {
  const keys = await aok.keys.publicKeys();
  return keys.map((key) => ({ ...key, value: pemOf(key) }));
}
