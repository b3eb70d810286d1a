import { once } from 'node:events';
import { start } from './exec.ts';

/**
 * Runs a task while holding a lock that other processes respect. The kernel gives it back when the holder dies: it is
 * held by a child that ends with our end of its pipe.
 *
 * @param waits called once when somebody else has held it for a second
 */
export async function withFileLock<T>(path: string, task: () => Promise<T>, waits = () => {}): Promise<T> {
  const child = start(['flock', path, 'cat'], {}, ['pipe', 'pipe', 'inherit']);
  const failed = once(child, 'error').then(([error]) => Promise.reject(error));
  const ended = once(child, 'exit');
  const waiting = setTimeout(waits, 1000);
  try {
    child.stdin?.write('locked\n');
    const refused = ended.then(([code]) => Promise.reject(new Error(`flock ${path} ended with ${code}`)));
    if (!child.stdout) throw new Error('flock has no output');
    await Promise.race([once(child.stdout, 'data'), refused, failed]);
    clearTimeout(waiting);
    return await task();
  } finally {
    clearTimeout(waiting);
    child.stdin?.end();
    await Promise.race([ended, failed]);
  }
}
