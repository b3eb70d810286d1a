import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { TSchema } from 'typebox';
import Type, { type Static } from 'typebox';
import { decode } from '../../contract/decode.ts';
import { type NodeChange, NodeMaterial, RegistryRefusal } from '../../contract/registry.ts';
import { Topology } from '../../contract/topology.ts';
import { topologyNodeOf } from '../../platform/topology-node.ts';
import type { Node } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { findTopology } from '../topology-file.ts';

const TIMEOUT_MS = 30_000;
const Token = Type.Object({ token: Type.String() });

/** The nodes of this node's cluster; a micro cloud is one by itself. */
export async function readTopology(node: Pick<Node, 'file' | 'paths'>): Promise<Topology> {
  if (!node.file.isMicro) return new RegistryClient(node).topology();
  return { revision: 0, core: node.file.id, nodes: [topologyNodeOf(node.file)] };
}

/** The nodes as this node can know them at once: the Core asks its registry; when that is away, and elsewhere, the copy. */
export async function knownTopology(node: Pick<Node, 'file' | 'paths'>): Promise<Topology | undefined> {
  if (!node.file.isMicro && node.file.roles.includes('primary')) return (await askedOrCopied(node)).topology;
  return findTopology(node.paths);
}

/** The nodes as the registry has them; this node's copy, and why, when that does not answer. */
export async function askedOrCopied(
  node: Pick<Node, 'file' | 'paths'>,
): Promise<{ topology: Topology | undefined; why?: Refusal }> {
  try {
    return { topology: await readTopology(node) };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { topology: await findTopology(node.paths), why: error };
  }
}

/** The Core's node registry, as the Core's own kato reaches it, or that of another node over its link. */
export class RegistryClient {
  readonly #socket: string;
  readonly #where: string;

  constructor(node: Pick<Node, 'file' | 'paths'>) {
    if (node.file.isMicro) {
      throw new Refusal(
        'this node is a micro cloud: it has no other nodes',
        'run `kato node setup core api.DOMAIN` first',
      );
    }
    const isCore = node.file.roles.includes('primary');
    this.#socket = isCore ? node.paths.registrySocket : node.paths.registryLinkSocket;
    this.#where = isCore ? 'the node registry' : `the Core node (${node.file.coreAddress})`;
  }

  topology(): Promise<Topology> {
    return this.#call('GET', '/v1/topology', Topology);
  }

  async makeToken(wanted: { lifeS: number; uses: number }): Promise<string> {
    return (await this.#call('POST', '/v1/tokens', Token, wanted)).token;
  }

  /** A change of this node; without any, what it needs on its disk. */
  changeSelf(change: NodeChange): Promise<NodeMaterial> {
    return this.#call('POST', '/v1/node', NodeMaterial, change);
  }

  /** A change of another node; only on the Core. */
  change(nodeId: string, change: NodeChange): Promise<NodeMaterial> {
    return this.#call('POST', `/v1/nodes/${nodeId}`, NodeMaterial, change);
  }

  renewSelf(): Promise<NodeMaterial> {
    return this.#call('POST', '/v1/node/renew', NodeMaterial);
  }

  /** The archive of the release that the cluster is being upgraded to, written to a file. */
  async downloadRelease(path: string, signal: AbortSignal): Promise<void> {
    const options = { socketPath: this.#socket, path: '/v1/release', agent: false, signal };
    const sent = request(options).end();
    const [response] = (await once(sent, 'response')) as [IncomingMessage];
    if (response.statusCode === 200) return pipeline(response, createWriteStream(path, { mode: 0o600 }));
    response.resume();
    throw new Refusal(
      `${this.#where} has no release to give (status ${response.statusCode})`,
      'kato node upgrade --status',
    );
  }

  /** New passwords for a node; only on the Core. */
  renew(nodeId: string): Promise<NodeMaterial> {
    return this.#call('POST', `/v1/nodes/${nodeId}/renew`, NodeMaterial);
  }

  /** Takes this node out of the cluster. */
  leave(): Promise<Topology> {
    return this.#call('DELETE', '/v1/node', Topology);
  }

  /** Takes another node out of the cluster; only on the Core. */
  remove(nodeId: string): Promise<Topology> {
    return this.#call('DELETE', `/v1/nodes/${nodeId}`, Topology);
  }

  async #call<T extends TSchema>(method: string, path: string, schema: T, body?: unknown): Promise<Static<T>> {
    const { status, text } = await this.#send(method, path, body);
    return readAnswer(schema, { status, text, where: this.#where });
  }

  #send(method: string, path: string, body: unknown): Promise<{ status: number; text: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>();
    const away = (cause: Error) =>
      reject(
        new Refusal(`${this.#where} does not answer: ${cause.message}`, 'run `kato status` here and on the Core node', {
          cause,
        }),
      );
    const json = body === undefined ? undefined : JSON.stringify(body);
    const sent = request(
      {
        ...{ socketPath: this.#socket, method, path, agent: false, signal: AbortSignal.timeout(TIMEOUT_MS) },
        headers:
          json === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', away);
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      },
    );
    sent.on('error', away);
    sent.end(json);
    return promise;
  }
}

/**
 * What the registry answered.
 *
 * @throws Refusal with the registry's own reason and advice
 */
export function readAnswer<T extends TSchema>(
  schema: T,
  { status, text, where }: { status: number; text: string; where: string },
): Static<T> {
  if (status === 200) return decode(schema, JSON.parse(text), `answer of ${where}`);
  try {
    const { error, next } = decode(RegistryRefusal, JSON.parse(text), 'refusal');
    throw new Refusal(`${where} refused: ${error}`, next);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    // The link answers by itself when the Core does not take this node's certificate.
    throw new Refusal(
      `${where} answered ${status}: it is down, or this node was removed from the cluster`,
      'run `kato status` on the Core; a removed node joins again with a new token: kato node detach --force, then kato node attach',
      { cause: error },
    );
  }
}
