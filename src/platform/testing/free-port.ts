import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below the ports that the kernel gives to those who ask for any. */
const FIRST = 10_000;
const RANGES = 220;
const RANGE = 100;

let taken = 0;

/**
 * A port that nobody listens on, and that nobody gets by chance until it is used: it is none that the kernel chooses, and
 * test processes that run at the same time choose theirs from ranges of their own.
 */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < RANGE; tries++) {
    const port = FIRST + (process.pid % RANGES) * RANGE + (taken++ % RANGE);
    if (await isFree(port)) return port;
  }
  throw new Error(`something listens on all ${RANGE} ports from ${FIRST + (process.pid % RANGES) * RANGE} on`);
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port);
  try {
    await once(server, 'listening');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false;
    throw error;
  }
  server.close();
  await once(server, 'close');
  return true;
}
