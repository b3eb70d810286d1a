import { formatBytes } from '../contract/units.ts';
import type { BuildReport } from './build-report.ts';
import { dropletHead } from './droplet-info.ts';
import type { StagingContainer } from './staging-container.ts';
import type { StagingLog } from './staging-log.ts';
import type { Request } from './staging-result.ts';
import { type TransferOptions, type UploadOutcome, upload } from './transfer.ts';

export type StagingOutputOptions = {
  readonly request: Request;
  readonly container: StagingContainer;
  readonly report: BuildReport;
  readonly log: StagingLog;
  readonly transfer: (what: string) => TransferOptions;
};

/** Sends the droplet and the build cache that a build left. */
export async function uploadOutput(output: StagingOutputOptions): Promise<UploadOutcome> {
  const { request, container, report, log, transfer } = output;
  log.say('Uploading droplet, build artifacts cache...');
  const { clock } = transfer('droplet');
  const head = dropletHead(
    { detected_buildpack: report.detected, start_command: report.processes.web ?? '', processes: report.processes },
    clock.nowMs(),
  );
  const droplet = { prefix: head, file: container.file('packed.tgz') };
  const [uploaded] = await Promise.all([upload(request.upload_uri, droplet, transfer('droplet')), uploadCache(output)]);
  log.say(`Uploading complete (droplet ${formatBytes(uploaded.bytes)})`);
  return uploaded;
}

/** A cache that can't be kept makes the next staging slower, not this one wrong. */
async function uploadCache({ request, container, log, transfer }: StagingOutputOptions): Promise<void> {
  const url = request.buildpack_cache_upload_uri;
  if (url === null || !(await container.hasFile('cache.tgz'))) return;
  const options = transfer('build cache');
  try {
    await upload(url, { prefix: Buffer.alloc(0), file: container.file('cache.tgz') }, options);
  } catch (error) {
    options.signal.throwIfAborted();
    log.say(`The build cache could not be kept: ${(error as Error).message}`, 'ERR');
  }
}
