import { request } from 'node:http';

const TIMEOUT_MS = 3000;

/** nginx's control socket did not answer, or not as it should. */
export class ControlError extends Error {
  override name = 'ControlError';
}

/**
 * One request to the control socket; gives what it answers.
 *
 * @throws ControlError
 */
export function ask(socketPath: string, path: string, body?: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (cause: unknown) =>
    reject(new ControlError(`nginx does not answer on ${socketPath}: ${String(cause)}`, { cause }));
  const method = body === undefined ? 'GET' : 'PUT';
  const sent = request({ socketPath, path, method, agent: false, timeout: TIMEOUT_MS }, (answer) => {
    let text = '';
    answer.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    answer.on('error', fail);
    answer.on('end', () => (answer.statusCode === 200 ? resolve(text) : fail(`status ${answer.statusCode}`)));
  });
  sent.on('timeout', () => sent.destroy(new Error(`silence for ${TIMEOUT_MS} ms`)));
  sent.on('error', fail);
  sent.end(body);
  return promise;
}
