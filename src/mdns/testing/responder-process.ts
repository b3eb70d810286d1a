import { systemClock } from '../../platform/clock.ts';
import { silentLog } from '../../platform/log.ts';
import { MulticastLink } from '../link.ts';
import { Responder } from '../responder.ts';

/** Answers for the names given until standard input ends; prints what it holds and what is taken, once it knows. */
const link = new MulticastLink({ log: silentLog, clock: systemClock, isWanted: () => true });
const responder = new Responder({ link, clock: systemClock, log: silentLog });
await responder.start(process.argv.slice(2));
while (responder.isProbing()) await systemClock.sleep(50);
process.stdout.write(`${JSON.stringify({ held: responder.held(), taken: responder.taken() })}\n`);
for await (const _input of process.stdin);
await responder.stop();
