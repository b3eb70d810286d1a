import type { Bus } from '../bus/bus.ts';
import { subjects } from '../contract/subjects.ts';
import type { Boot } from '../platform/config.ts';

const ASK_MS = 2000;
const PATIENCE_MS = 60_000;

/**
 * The keys of the S3 server that holds the blobs, from the primary; none while the blobs are in a folder.
 *
 * @throws Error when the primary does not answer within a minute
 */
export async function findS3Keys(
  { config, credentials, clock, log, stop }: Pick<Boot, 'config' | 'credentials' | 'clock' | 'log' | 'stop'>,
  bus: Bus,
): Promise<Boot['credentials']['s3']> {
  if (config.blobs.kind !== 's3' || credentials.s3 !== undefined) return credentials.s3;
  const endMs = clock.nowMs() + PATIENCE_MS;
  const ask = async (name: string): Promise<string> => {
    for (;;) {
      const [answer] = await bus.request(subjects.secretGet, [], { name }, { timeoutMs: ASK_MS, signal: stop });
      if (answer !== undefined) return answer.value ?? '';
      if (stop.aborted || clock.nowMs() > endMs) {
        throw new Error('the primary does not tell the keys of the S3 server; run `kato status` on the Core node');
      }
      log.warn('wait-for-primary', { because: 'it has the keys of the S3 server' });
    }
  };
  const accessKeyId = await ask('blobs.s3.accessKeyId');
  return { accessKeyId, secretAccessKey: await ask('blobs.s3.secretAccessKey') };
}
