import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { type NodeChange, NodeMaterial } from '../../contract/registry.ts';
import { nodeCertificateName } from '../../contract/topology.ts';
import type { Node } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { readAnswer } from './registry-client.ts';

const TIMEOUT_MS = 30_000;
/** A certificate that another authority signed, in OpenSSL's words. */
const FOREIGN = /SELF_SIGNED|UNABLE_TO_|CERT_SIGNATURE|ERR_SSL|ERR_TLS_CERT_SIGNATURE/;
/** The far end went away after it had seen this node's certificate. */
const SHUT_OUT = /ECONNRESET|EPIPE|ALERT|socket hang up/i;

/**
 * Tells the cluster's Core of a change of this node, straight at an address, without this node's links. The Core is known by
 * its certificate, this node by its own.
 *
 * @throws Refusal when nobody answers, somebody else does, or the Core does not know this node
 */
export async function askCore(
  { paths, config }: Pick<Node, 'paths' | 'config'>,
  core: { readonly id: string; readonly address: string },
  change: NodeChange,
): Promise<NodeMaterial> {
  const [own, ca] = [await readFile(paths.nodeCertificate, 'utf8'), await readFile(paths.caCertificate, 'utf8')];
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
  const body = JSON.stringify(change);
  const fail = (cause: Error) => reject(refusalOf(cause, core.address, config.link.registryPort));
  const sent = request(
    {
      ...{ host: core.address, port: config.link.registryPort, method: 'POST', path: '/v1/node', agent: false },
      ...{ cert: own, key: own, ca, servername: nodeCertificateName(core.id), signal: AbortSignal.timeout(TIMEOUT_MS) },
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
    },
    (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', fail);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    },
  );
  sent.on('error', fail);
  sent.end(body);
  return readAnswer(NodeMaterial, { ...(await promise), where: `the Core node (${core.address})` });
}

function refusalOf(cause: Error, address: string, port: number): Refusal {
  const code = 'code' in cause ? String(cause.code) : cause.message;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new Refusal(`the node at ${address} is not the Core of this cluster`, 'give the address of the Core', {
      cause,
    });
  }
  if (SHUT_OUT.test(`${code} ${cause.message}`)) {
    return new Refusal(
      `the Core at ${address} does not take this node's certificate: it was removed from the cluster, or has ended`,
      'join again with a token: kato node detach --force, then kato node attach',
      { cause },
    );
  }
  if (FOREIGN.test(code)) {
    return new Refusal(`the machine at ${address} is not of this cluster`, 'give the address of its Core', { cause });
  }
  return new Refusal(
    `no Core answers at ${address}, port ${port}: ${cause.message}`,
    'give the address of the Core node, and look at `kato status` there',
    { cause },
  );
}
