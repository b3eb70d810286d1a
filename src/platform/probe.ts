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

/** Does something accept connections there, and say the first word, as NATS does? Silence for `timeoutMs` is a no. */
export function speaksFirst(target: { port: number; host: string }, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(target);
    const finish = (answer: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => finish(false), timeoutMs);
    socket.once('data', () => finish(true));
    socket.once('error', () => finish(false));
    socket.once('close', () => finish(false));
  });
}
