import { createConnection } from 'node:net';

/** Does something accept connections there? A refusal, a missing socket or silence for `timeoutMs` is a no. */
export function canConnect(
  target: { port: number; host?: string } | { path: string },
  timeoutMs = 1000,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(target);
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => finish(false));
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}
