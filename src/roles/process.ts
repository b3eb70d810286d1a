import { PrimaryCopy } from '../base/primary-copy.ts';
import type { Bus } from '../bus/bus.ts';
import { ClusterConfig } from '../contract/config.ts';
import { decode } from '../contract/decode.ts';
import { type Boot, loadBoot, takeLiveSettings } from '../platform/config.ts';
import { runParts } from '../platform/lifecycle.ts';
import { silentLog } from '../platform/log.ts';
import { runKato } from './own-kato.ts';
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
        await runRole(boot, loaders[index] as () => Promise<Role>, () => failure.abort('SIGUSR2'));
      } catch (error) {
        boot.log.error('failed-to-run', { error });
        failure.abort('SIGUSR2');
        throw error;
      }
    }),
  );
  return failure.signal.aborted || ends.some(({ status }) => status === 'rejected') ? 1 : 0;
}

async function runRole(boot: Boot, load: () => Promise<Role>, fall: () => void): Promise<void> {
  const bus = await Promise.race([connect(boot), stopped(boot.stop)]);
  // Told to end while the bus was still awaited: there is nothing to stop.
  if (bus === undefined) return;
  await using stack = new AsyncDisposableStack();
  stack.defer(() => bus.close());
  // A bus that went away is waited for; one that refuses the password takes no other from this process.
  const watching = bus.onStatus((status) => {
    if (status !== 'closed' || boot.stop.aborted) return;
    boot.log.error('refused-by-bus');
    fall();
  });
  stack.defer(() => watching[Symbol.dispose]());
  using _copy = followLiveSettings(boot, bus);
  await runParts(await (await load())(boot, bus), boot.stop, boot.log);
}

function stopped(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

/** A password that was renewed while this node was away is asked for by the node's certificate. */
async function connect(boot: Boot): Promise<Bus> {
  try {
    return await connectBus(boot);
  } catch (error) {
    const { isMicro, roles } = boot.node;
    const isRefused = error instanceof Error && error.name === 'AuthorizationError';
    if (isRefused && boot.process === 'base' && !isMicro && !roles.includes('primary')) {
      boot.log.warn('asks-for-new-passwords');
      boot.log.info('updated-node', { code: await runKato(boot, ['node', 'update']) });
    }
    throw error;
  }
}

/** What may change while a process runs is read from the primary at start, and whenever it says so. */
function followLiveSettings(boot: Boot, bus: Bus): Disposable {
  const { clock, log, config } = boot;
  const apply = async ({ revision, config: stored }: { revision: number; config: unknown }) => {
    const settings = takeLiveSettings(config, decode(ClusterConfig, stored, 'cluster configuration'));
    if (settings.length > 0) log.info('took-settings', { revision, settings });
  };
  const copy = PrimaryCopy.ofConfig({ bus, clock, log, apply });
  void copy.refresh();
  return copy;
}
