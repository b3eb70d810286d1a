import { type Boot, loadBoot } from '../platform/config.ts';
import { runParts } from '../platform/lifecycle.ts';
import { silentLog } from '../platform/log.ts';
import { connectBus, type Role } from './role.ts';

/**
 * Runs one process of the platform until the signal fires: `controller`, or several in one, `controller+aok`, each with its
 * own credentials and bus connection.
 *
 * @returns the exit code: 0 after an orderly stop, 1 when a part could not start
 */
export async function runProcess(
  name: string,
  roles: Readonly<Record<string, () => Promise<Role>>>,
  signal: AbortSignal,
): Promise<number> {
  const names = name.split('+');
  const loaders = names.map((one) => roles[one]);
  if (!name || loaders.some((load) => load === undefined)) {
    process.stderr.write(`unknown process '${name}'; one of ${Object.keys(roles).join(', ')}\n`);
    return 2;
  }
  // One that fails ends the others, whose charges stay for the successor.
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal]);
  const boots = await Promise.all(names.map((one) => loadBoot(one, stop)));
  const log = boots[0]?.log ?? silentLog;
  for (const event of ['unhandledRejection', 'uncaughtException'] as const) {
    process.on(event, (error) => {
      log.error('crashed', { error });
      process.exit(1);
    });
  }
  const ends = await Promise.allSettled(
    boots.map(async (boot, index) => {
      try {
        await runRole(boot, loaders[index] as () => Promise<Role>);
      } catch (error) {
        boot.log.error('failed-to-run', { error });
        failure.abort('SIGUSR2');
        throw error;
      }
    }),
  );
  return ends.some(({ status }) => status === 'rejected') ? 1 : 0;
}

async function runRole(boot: Boot, load: () => Promise<Role>): Promise<void> {
  const bus = await connectBus(boot);
  await using stack = new AsyncDisposableStack();
  stack.defer(() => bus.close());
  await runParts(await (await load())(boot, bus), boot.stop, boot.log);
}
