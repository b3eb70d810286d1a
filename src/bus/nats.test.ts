import { once } from 'node:events';
import { after, before } from 'node:test';
import { start } from '../platform/exec.ts';
import { silentLog } from '../platform/log.ts';
import { freePort } from '../platform/testing/free-port.ts';
import { busConformance } from './bus.conformance.ts';
import { connectNats } from './nats.ts';

let port = 0;
let server: ReturnType<typeof start>;

before(async () => {
  port = await freePort();
  server = start(['nats-server', '-a', '127.0.0.1', '-p', String(port), '--user', 'test', '--pass', 'secret']);
  await once(server, 'spawn');
});

after(async () => {
  server.kill('SIGKILL');
  await once(server, 'exit');
});

const client = (name: string) =>
  connectNats({ servers: [`127.0.0.1:${port}`], user: 'test', password: 'secret', name, log: silentLog });

busConformance('nats-server', async () => {
  const [a, b] = await Promise.all([client('a'), client('b')]);
  return {
    a,
    b,
    [Symbol.asyncDispose]: async () => {
      await a.close();
      await b.close();
    },
  };
});
