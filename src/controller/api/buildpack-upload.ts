import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { FastifyRequest } from 'fastify';
import { PlatformError } from '../../contract/errors.ts';
import { temporaryDirectory } from '../../platform/files.ts';
import { ArchiveError, openArchive } from '../package-archive.ts';
import { type BuildpackRow, updateBuildpack } from '../store/buildpack.ts';
import { startJob } from '../store/job.ts';
import type { Controller } from './controller.ts';
import { uploadLimit } from './upload-limit.ts';

const ENTRY_POINT = /^(?:[^/]+\/)?bin\/(?:detect|compile|supply|finalize)(?:\.\w+)?$/;

/** The key under which a buildpack's archive is kept. */
export const buildpackKey = (guid: string): string => `buildpacks/${guid}`;

/**
 * Receives a buildpack's archive, checks it, keeps it, and makes the buildpack READY.
 *
 * @returns the guid of the finished job
 * @throws PlatformError BuildpackZipError when it is no zip or no buildpack
 */
export async function receiveBuildpack(
  controller: Controller,
  row: BuildpackRow,
  request: FastifyRequest,
): Promise<string> {
  if (!request.isMultipart()) throw new PlatformError('UnprocessableEntity', 'Upload must include bits');
  const part = await request.file(uploadLimit(controller));
  if (!part) throw new PlatformError('UnprocessableEntity', 'Upload must include bits');
  if (!part.filename.endsWith('.zip')) throw new PlatformError('UnprocessableEntity', `${part.filename} is not a zip`);
  await using folder = await temporaryDirectory('stackato-buildpack');
  const file = join(folder.path, 'buildpack.zip');
  await pipeline(part.file, createWriteStream(file));
  if (part.file.truncated) throw new PlatformError('UploadTooLarge', 'the buildpack is larger than the largest upload');
  await checkArchive(controller, file);
  const { sha256 } = await controller.blobs.put(buildpackKey(row.guid), createReadStream(file));
  const { db, random } = controller;
  return db.transaction().execute(async (tx) => {
    await updateBuildpack(tx, row, { state: 'READY', filename: part.filename, sha256, is_built_in: false });
    const resource = { type: 'buildpacks', guid: row.guid };
    return startJob(tx, { guid: random.guid(), operation: 'buildpack.upload', resource, isDone: true });
  });
}

async function checkArchive({ config }: Controller, file: string): Promise<void> {
  const { maxPackageEntries, maxUnpackedMb } = config.controller;
  const limits = { maxEntries: maxPackageEntries, maxUnpackedBytes: maxUnpackedMb * 1024 * 1024 };
  try {
    using archive = await openArchive(file, limits);
    if (!archive.entries.some((entry) => ENTRY_POINT.test(entry.path))) {
      throw new ArchiveError('it has neither bin/detect, bin/compile, bin/supply nor bin/finalize');
    }
  } catch (error) {
    if (error instanceof ArchiveError) throw new PlatformError('BuildpackZipError', error.message, { cause: error });
    throw error;
  }
}
