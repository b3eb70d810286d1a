import { loadBoot } from '../platform/config.ts';
import { part, runParts } from '../platform/lifecycle.ts';
import { connectBus, type Role } from './role.ts';

/**
 * Runs one process of the platform until the signal fires: `controller`, or several roles in one, `controller+aok`.
 *
 * @returns the exit code: 0 after an orderly stop, 1 when a part could not start
 */
export async function runProcess(
  name: string,
  roles: Readonly<Record<string, () => Promise<Role>>>,
  signal: AbortSignal,
): Promise<number> {
  const loaders = name.split('+').map((one) => roles[one]);
  if (!name || loaders.some((load) => load === undefined)) {
    process.stderr.write(`unknown process '${name}'; one of ${Object.keys(roles).join(', ')}\n`);
    return 2;
  }
  const boot = await loadBoot(name, signal);
  process.on('unhandledRejection', (error) => {
    boot.log.error('crashed', { error });
    process.exit(1);
  });
  process.on('uncaughtException', (error) => {
    boot.log.error('crashed', { error });
    process.exit(1);
  });
  try {
    const bus = await connectBus(boot);
    const parts = [part('bus', () => () => bus.close())];
    for (const load of loaders) if (load) parts.push(...(await (await load())(boot, bus)));
    await runParts(parts, signal, boot.log);
    return 0;
  } catch (error) {
    boot.log.error('failed-to-run', { error });
    return 1;
  }
}
