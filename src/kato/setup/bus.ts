import { writeBusConfig } from '../../bus/server-config.ts';
import { getUser } from '../../platform/system-user.ts';
import type { Node } from '../node.ts';
import { findTopology } from '../topology-file.ts';
import { readSecrets } from './secrets.ts';
import type { Step } from './step.ts';

/** nats-server's configuration. */
export const configureBus: Step = {
  title: 'Message bus',
  run: async ({ node }) => ((await ensureBusConfig(await node())) ? 'done' : 'already'),
};

/** Writes nats-server's configuration from the cluster's secrets and nodes. Gives true when it changed. */
export async function ensureBusConfig({ paths, config }: Node): Promise<boolean> {
  const { nodeKey } = await readSecrets(paths);
  return writeBusConfig(paths, {
    port: config.bus.port,
    nodeKey,
    topology: await findTopology(paths),
    owner: await getUser('stackato'),
  });
}
