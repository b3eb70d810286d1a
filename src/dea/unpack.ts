import { createReadStream } from 'node:fs';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { start } from '../platform/exec.ts';

/** A droplet that can't be unpacked: why, in words for the app's log. */
export class UnpackError extends Error {
  override name = 'UnpackError';
}

export type UnpackOptions = {
  readonly archive: string;
  readonly directory: string;
  /** Owner of everything unpacked, as seen from the host; tar runs as this user. */
  readonly uid: number;
  readonly gid: number;
  /** More than this unpacked is refused. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
};

/**
 * Unpacks a tar.gz into a folder. tar runs as the app's own user in that folder, so that whatever the archive holds —
 * devices, links that lead out, other owners — it can do no more than the app itself could.
 *
 * @throws UnpackError when the archive is broken or too large
 */
export async function unpackDroplet(options: UnpackOptions): Promise<void> {
  const tar = start(
    ['tar', '-x', '-f', '-', '--no-same-owner', '--no-same-permissions', '--delay-directory-restore'],
    { cwd: options.directory, uid: options.uid, gid: options.gid, env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' } },
    ['pipe', 'ignore', 'pipe'],
  );
  const said: Buffer[] = [];
  tar.stderr?.on('data', (chunk: Buffer) => said.push(chunk));
  const ended = new Promise<string | undefined>((resolve) => {
    tar.once('error', (error) => resolve(`tar could not start (${error.message})`));
    tar.once('close', (code) =>
      resolve(code === 0 ? undefined : Buffer.concat(said).toString('utf8').trim().slice(-500)),
    );
  });
  if (!tar.stdin) throw new Error('tar has no standard input');
  const fed = await pipeline(
    [createReadStream(options.archive), createGunzip(), countingUpTo(options.maxBytes), tar.stdin],
    options.signal ? { signal: options.signal } : {},
  ).then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error,
  );
  // tar stops reading at the archive's end mark and may leave padding behind it unread; its exit code tells.
  const isUnread = fed?.code === 'EPIPE' || fed?.code === 'ERR_STREAM_PREMATURE_CLOSE';
  if (fed && !isUnread) tar.kill('SIGKILL');
  const failure = await ended;
  options.signal?.throwIfAborted();
  if (fed instanceof UnpackError) throw fed;
  if (failure !== undefined) throw new UnpackError(`the droplet can't be unpacked: ${failure || fed?.message}`);
  if (fed && !isUnread) throw new UnpackError(`the droplet can't be unpacked: ${fed.message}`, { cause: fed });
}

function countingUpTo(maxBytes: number): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes <= maxBytes) return done(null, chunk);
      const mb = Math.floor(maxBytes / 1_048_576);
      done(
        new UnpackError(`the droplet unpacks to more than the ${mb} MB of disk that the app has; scale its disk up`),
      );
    },
  });
}
