import { join } from 'node:path';
import { programProcess, smallSpec } from '../../src/container/container.conformance.ts';
import { openFence } from '../../src/container/fence/fence.ts';
import { makeTinyRoot } from '../../src/container/fence/testing/tiny-root.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { temporaryDirectory } from '../../src/platform/files.ts';
import { silentLog } from '../../src/platform/log.ts';
import { systemRandom } from '../../src/platform/random.ts';

/** Leaves running containers and some made ahead in a node's state folder, as processes do that are killed: `leftover.ts <state>`. */
const [, , state = ''] = process.argv;
const engine = await openFence({
  directory: join(state, 'fence'),
  pool: 'dea',
  network: '10.252.0.0/22',
  hostPorts: { first: 39_001, last: 39_900 },
  deniedDestinations: [],
  runtime: 'runc',
  storeMb: 1024,
  clock: systemClock,
  random: systemRandom,
  log: silentLog,
});
await using tiny = await temporaryDirectory('tiny');
await makeTinyRoot(tiny.path);
await engine.importStack('tiny', { directory: tiny.path });
await engine.create(smallSpec('left', { ports: [8080] }));
await engine.start('left', programProcess('forever'));
await engine.keepReady(2);
process.kill(process.pid, 'SIGKILL');
