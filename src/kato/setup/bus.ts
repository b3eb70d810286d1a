import { join } from 'node:path';
import { formatBusConfig } from '../../core/bus-permissions.ts';
import { writeOwnedFile } from '../../platform/owned-files.ts';
import { getUser } from '../../platform/system-user.ts';
import { busCertificate } from './certificates.ts';
import { readBusPasswords } from './secrets.ts';
import type { Step } from './step.ts';

/** nats-server's configuration. */
export const configureBus: Step = {
  title: 'Message bus',
  run: async (context) => {
    const node = await context.node();
    const certificate = busCertificate(node);
    const text = formatBusConfig({
      listen: `127.0.0.1:${node.config.bus.port}`,
      serverName: `node-${node.file.index}`,
      tls: { certificate, key: certificate, ca: node.paths.caCertificate },
      passwords: await readBusPasswords(node.paths),
    });
    const owner = await getUser('stackato');
    return (await writeOwnedFile(join(node.paths.nats, 'nats.conf'), text, { owner, mode: 0o600 }))
      ? 'done'
      : 'already';
  },
};
