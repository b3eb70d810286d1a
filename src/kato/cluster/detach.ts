import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { stopNode } from '../lifecycle.ts';
import type { Node } from '../node.ts';
import { Refusal } from '../refusal.ts';
import type { Terminal } from '../terminal.ts';
import { joinFile } from './attach.ts';
import { RegistryClient } from './registry-client.ts';

/** Takes this node out of its cluster, stops it and forgets what the cluster gave it; apps start elsewhere. */
export async function detach(
  node: Node,
  { terminal, signal, isForced }: { terminal: Terminal; signal: AbortSignal; isForced: boolean },
): Promise<void> {
  if (node.file.isMicro) throw new Refusal('this node is a micro cloud: it is attached to nothing');
  if (node.file.roles.includes('primary')) {
    throw new Refusal(
      'this is the Core node: the cluster is nothing without it',
      'detach the other nodes, then `kato node setup micro`',
    );
  }
  try {
    await new RegistryClient(node).leave();
  } catch (error) {
    if (!(error instanceof Refusal) || !isForced) {
      if (error instanceof Refusal)
        throw new Refusal(
          error.message,
          `${error.next ?? ''}; or leave without the Core knowing: --force, then \`kato node remove ${node.file.address}\` there`,
          { cause: error },
        );
      throw error;
    }
    terminal.say(
      `the Core does not know yet: ${error.message}; when it is back, run there: kato node remove ${node.file.address}`,
    );
  }
  await stopNode(node, { say: terminal.say, signal });
  await forgetCluster(node);
}

/** Removes everything that the cluster gave to this node; its stack and its containers' store stay. */
async function forgetCluster({ paths }: Node): Promise<void> {
  const given = [paths.tls, join(paths.state, 'credentials'), paths.topologyFile, paths.link, paths.clusterFile];
  for (const path of [...given, joinFile(paths), paths.nodeFile]) await rm(path, { recursive: true, force: true });
}
