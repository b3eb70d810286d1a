import { join } from 'node:path';
import { endContainers } from '../container/fence/withdraw.ts';
import { systemClock } from '../platform/clock.ts';
import { readTextIfExists } from '../platform/files.ts';
import type { Paths } from '../platform/paths.ts';
import { isProcessOf } from '../supervisor/orphans.ts';

const END_MS = 10_000;

/** Ends what these programs looked after and did not end themselves: they were killed, or still waited for the bus. */
export async function endLeftCharges(paths: Paths, programs: readonly string[]): Promise<void> {
  if (programs.includes('router')) await endProxy(paths, join(paths.router, 'haproxy.pid'));
  if (programs.includes('load_balancer')) await endProxy(paths, join(paths.balancer, 'nginx.pid'));
  if (programs.includes('dea')) await endContainers(paths.fence, ['dea']);
}

/** Nobody is left who could wait for its open requests. */
async function endProxy({ state }: Paths, pidFile: string): Promise<void> {
  const pid = Number((await readTextIfExists(pidFile))?.trim() || 0);
  const isThere = () => (pid > 1 ? isProcessOf(state, pid) : Promise.resolve(false));
  const endMs = systemClock.nowMs() + END_MS;
  for (let isTold = false; await isThere(); isTold = true) {
    if (!isTold) process.kill(pid, 'SIGTERM');
    if (systemClock.nowMs() > endMs) throw new Error(`process ${pid} of ${pidFile} does not end`);
    await systemClock.sleep(50);
  }
}
