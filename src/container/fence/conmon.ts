import { once } from 'node:events';
import { constants } from 'node:fs';
import { open, readFile, unlink } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { exec, start } from '../../platform/exec.ts';
import { isMissing } from '../../platform/files.ts';
import { ContainerError } from '../container.ts';
import { failure } from './failure.ts';
import type { RuntimeCommands } from './runtime-commands.ts';

const SYNC_FD = 3;
const RELEASE_TIMEOUT_MS = 10_000;

/**
 * Starts conmon, which makes the container with its main process held back.
 *
 * @returns the host's pid of the container's init
 */
export async function startConmon(
  argv: readonly string[],
  { env, cwd }: { env: Readonly<Record<string, string>>; cwd: string },
): Promise<number> {
  const child = start(argv, { env: { ...env, _OCI_SYNCPIPE: String(SYNC_FD) }, cwd, detached: true }, [
    'ignore',
    'ignore',
    'pipe',
    'pipe',
  ]);
  const started = Promise.withResolvers<never>();
  child.on('error', (error) => started.reject(failure('conmon could not be started', error)));
  const errors: string[] = [];
  child.stderr?.setEncoding('utf8').on('data', (text: string) => errors.push(text));
  try {
    const answer = await Promise.race([readAnswer(child.stdio[SYNC_FD] as Readable), started.promise]);
    if (answer && answer.pid > 0) return answer.pid;
    if (!answer && child.exitCode === null) await once(child, 'exit');
    const said = answer?.message.trim() || errors.join('').trim() || 'conmon ended without an answer';
    throw failure('the runtime did not make the container', new Error(said));
  } finally {
    child.stderr?.destroy();
    child.unref();
  }
}

/** Lets the main process of a created container run. */
export async function release(commands: RuntimeCommands, handle: string): Promise<void> {
  const fifo = commands.startFifo(handle);
  // Without an init at the other end the reading would never end; a writer that leaves at once ends it.
  const timer = setTimeout(() => {
    open(fifo, constants.O_WRONLY | constants.O_NONBLOCK).then(
      (file) => file.close(),
      (error) => isMissing(error) || Promise.reject(error),
    );
  }, RELEASE_TIMEOUT_MS);
  try {
    // What `runc start` does, without its start-up time: the container's init waits for a reader.
    if ((await readFile(fifo)).length === 0) throw new ContainerError('failed', 'the container ended before it ran');
    await unlink(fifo);
  } catch (error) {
    if (!isMissing(error)) throw error;
    await exec(commands.start(handle));
  } finally {
    clearTimeout(timer);
  }
}

async function readAnswer(pipe: Readable): Promise<{ pid: number; message: string } | undefined> {
  let text = '';
  for await (const chunk of pipe) {
    text += String(chunk);
    if (!text.includes('\n') && !text.trimEnd().endsWith('}')) continue;
    const answer: unknown = JSON.parse(text);
    if (typeof answer !== 'object' || answer === null) break;
    const pid = 'data' in answer ? Number(answer.data) : 'pid' in answer ? Number(answer.pid) : 0;
    return { pid, message: 'message' in answer ? String(answer.message) : '' };
  }
  return undefined;
}
