import { writeBusConfig } from '../../bus/server-config.ts';
import { getUser } from '../../platform/system-user.ts';
import { findTopology } from '../topology-file.ts';
import { readSecrets } from './secrets.ts';
import type { Step } from './step.ts';

/** nats-server's configuration. */
export const configureBus: Step = {
  title: 'Message bus',
  run: async (context) => {
    const { paths, config } = await context.node();
    const { nodeKey } = await readSecrets(paths);
    const wrote = await writeBusConfig(paths, {
      port: config.bus.port,
      nodeKey,
      topology: await findTopology(paths),
      owner: await getUser('stackato'),
    });
    return wrote ? 'done' : 'already';
  },
};
