import { systemClock } from '../../../platform/clock.ts';
import { silentLog } from '../../../platform/log.ts';
import { seededRandom, systemRandom } from '../../../platform/random.ts';
import { shellProcess, smallSpec } from '../../container.conformance.ts';
import { type FenceOptions, openFence } from '../fence.ts';

/**
 * A process to be killed: makes, starts and destroys containers for as long as it is left alone, as a seed says.
 * `victim.ts <options as JSON> <seed>`; prints a line when it begins.
 */
const [given = '', seed = ''] = process.argv.slice(2);
const options = JSON.parse(given) as Omit<FenceOptions, 'clock' | 'random' | 'log'>;
const engine = await openFence({ ...options, clock: systemClock, random: systemRandom, log: silentLog });
const random = seededRandom(Number(seed));
process.stdout.write('begin\n');
await Promise.all(
  [0, 1, 2].map(async (lane) => {
    for (let i = 0; ; i++) {
      const handle = `v-${seed}-${lane}-${i}`;
      if (random.pick(3) === 0) await engine.keepReady(random.pick(3));
      await engine.create(smallSpec(handle, { ports: [8080] }));
      const ending = random.pick(3);
      if (ending > 0) await engine.start(handle, shellProcess(ending === 1 ? 'exec sleep 1000' : 'true'));
      if (random.pick(4) > 0) await engine.destroy(handle);
    }
  }),
);
