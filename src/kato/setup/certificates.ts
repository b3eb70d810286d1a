import { join } from 'node:path';
import { systemClock } from '../../platform/clock.ts';
import { getUser } from '../../platform/system-user.ts';
import { ensureAuthority, ensureServerCertificate } from '../../platform/tls.ts';
import type { Node } from '../node.ts';
import type { Step } from './step.ts';

/** The cluster's own authority, and the certificates of routers and bus, made anew a month before they end. */
export const makeCertificates: Step = {
  title: 'Certificates',
  run: async ({ node }) => ((await ensureCertificates(await node())) ? 'done' : 'already'),
};

/** The bus server's certificate and key, in one file. */
export function busCertificate(node: Pick<Node, 'paths'>): string {
  return join(node.paths.tls, 'nats.pem');
}

async function ensureCertificates(node: Node): Promise<boolean> {
  const { paths, config, file } = node;
  const authority = { certificate: paths.caCertificate, key: paths.caKey };
  const root = await getUser('root');
  const stackato = await getUser('stackato');
  const { domain } = config.cluster;
  const nowMs = systemClock.nowMs();
  const made = [await ensureAuthority(authority, { name: `Stackato ${file.id.slice(0, 8)}`, owner: root })];
  const routerNames = [`DNS:${domain}`, `DNS:*.${domain}`];
  // The bus client checks an address's certificate for the name localhost.
  const busNames = ['DNS:localhost', 'IP:127.0.0.1', ...(file.address === '127.0.0.1' ? [] : [`IP:${file.address}`])];
  made.push(
    await ensureServerCertificate(join(paths.tls, 'router.pem'), authority, { names: routerNames, owner: root, nowMs }),
  );
  made.push(
    await ensureServerCertificate(busCertificate(node), authority, { names: busNames, owner: stackato, nowMs }),
  );
  return made.some(Boolean);
}
