import { createHash, X509Certificate } from 'node:crypto';
import { request } from 'node:http';
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { type JoinRequest, NodeMaterial } from '../../contract/registry.ts';
import { Refusal } from '../refusal.ts';
import { readAnswer } from './registry-client.ts';

const CONNECT_TIMEOUT_MS = 15_000;
const ANSWER_TIMEOUT_MS = 60_000;

/** A join token: which cluster (SHA-256 of its authority's certificate), and the secret. Written `PIN.SECRET`. */
export type JoinToken = { readonly pin: string; readonly secret: string };

export function formatToken(caPem: string, secret: string): string {
  return `${createHash('sha256').update(new X509Certificate(caPem).raw).digest('hex').slice(0, 40)}.${secret}`;
}

export function parseToken(text: string): JoinToken {
  const [, pin, secret] = /^([0-9a-f]{40})\.([0-9a-f]{32})$/.exec(text.trim()) ?? [];
  if (pin === undefined || secret === undefined) {
    throw new Refusal('this is no join token', 'make one on the Core node: kato node token');
  }
  return { pin, secret };
}

/**
 * Asks the Core to take this machine in. Nothing is said to a machine that does not prove to be of the token's cluster.
 *
 * @throws Refusal when nobody answers, another cluster does, or the Core refuses
 */
export async function join(
  core: { readonly address: string; readonly port: number },
  pin: string,
  body: JoinRequest,
): Promise<NodeMaterial> {
  const socket = await connectPinned(core, pin);
  const answer = await post(socket, body);
  return readAnswer(NodeMaterial, { ...answer, where: `the Core node (${core.address})` });
}

function connectPinned({ address, port }: { address: string; port: number }, pin: string): Promise<TLSSocket> {
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>();
  const nobody = (why: string, cause?: Error) =>
    reject(
      new Refusal(
        `nobody takes nodes in at ${address}, port ${port}: ${why}`,
        'give the address of the Core node, and look at `kato status` there',
        { cause },
      ),
    );
  // The certificate is checked below, against the pin, before anything is sent.
  const socket = connect({ host: address, port, rejectUnauthorized: false });
  socket.setTimeout(CONNECT_TIMEOUT_MS, () => socket.destroy(new Error('no answer')));
  socket.once('error', (error) => nobody(error.message, error));
  socket.once('secureConnect', () => {
    socket.setTimeout(0);
    if (isOfCluster(socket.getPeerCertificate(true), pin)) return resolve(socket);
    socket.destroy();
    reject(
      new Refusal(
        `the node at ${address} belongs to another cluster than the join token`,
        'check the address, and make the token on that very Core node: kato node token',
      ),
    );
  });
  return promise;
}

/** Its issuer is the pinned authority, and really signed it. */
function isOfCluster(certificate: DetailedPeerCertificate, pin: string): boolean {
  const issuer = certificate.issuerCertificate;
  if (certificate.raw === undefined || issuer?.raw === undefined) return false;
  if (createHash('sha256').update(issuer.raw).digest('hex').slice(0, 40) !== pin) return false;
  const leaf = new X509Certificate(certificate.raw);
  const authority = new X509Certificate(issuer.raw);
  return leaf.verify(authority.publicKey) && leaf.checkIssued(authority);
}

function post(socket: TLSSocket, body: JoinRequest): Promise<{ status: number; text: string }> {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const json = JSON.stringify(body);
  const broke = (cause: Error) => {
    socket.destroy();
    reject(new Refusal(`the Core broke off: ${cause.message}`, 'run the same command again', { cause }));
  };
  const sent = request(
    {
      ...{ method: 'POST', path: '/v1/join', createConnection: () => socket },
      headers: { host: 'core', 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
    },
    (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', broke);
      response.on('end', () => {
        socket.destroy();
        resolve({ status: response.statusCode ?? 0, text });
      });
    },
  );
  sent.on('error', broke);
  sent.end(json);
  return promise;
}
