import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { FastifyRequest } from 'fastify';
import { BlobStoreFullError } from '../blobstore/blobstore.ts';
import { PlatformError } from '../contract/errors.ts';
import { isMatchable, parseMode, pathProblem, type Resource } from '../core/resource-match.ts';
import type { Controller } from './api/controller.ts';
import { uploadLimit } from './api/upload-limit.ts';
import type { AppServices } from './app-services.ts';
import { ArchiveError, type ArchiveLimits, openArchive } from './package-archive.ts';
import { assemblePackage } from './package-assembly.ts';
import { claimUpload, type PackageRow, releaseUpload, updatePackage } from './store/package.ts';

const MB = 1024 * 1024;

type Received = { readonly archive: string | undefined; readonly resources: readonly Resource[] };

/** An upload whose controller was killed is in the way of another one for so long. */
const LEASE_S = 30;

/**
 * Receives the content of a package: an archive, files that the server has already, or both. The package is READY
 * once this resolves; bad content makes it FAILED; an interrupted upload leaves it as it was.
 *
 * @throws PlatformError 400 for bad content, 413 when it is too large, 422 when it has content already
 */
export async function receivePackage(
  controller: Controller,
  services: Pick<AppServices, 'scratch' | 'resources'>,
  upload: { readonly row: PackageRow; readonly request: FastifyRequest },
): Promise<PackageRow> {
  const { row, request } = upload;
  if (row.state !== 'AWAITING_UPLOAD') {
    throw new PlatformError(
      'UnprocessableEntity',
      'Bits may be uploaded only once. Create a new package to upload different bits.',
    );
  }
  await using claim = await claimPackage(controller, row.guid);
  const folder = join(services.scratch, `${row.guid}-${controller.random.hex(4)}`);
  const clean = () => rm(folder, { recursive: true, force: true });
  try {
    await mkdir(folder, { recursive: true });
    const received = await receiveParts(controller, request, folder);
    const stored = await storePackage(controller, row, { ...received, folder, claim });
    const { archive: path } = received;
    const kept = path && services.resources.keep({ path, limits: limitsOf(controller), packageGuid: row.guid });
    void Promise.resolve(kept).finally(clean);
    return stored;
  } catch (error) {
    await clean();
    throw await explained(controller, row, error);
  }
}

type Claim = AsyncDisposable & { readonly hold: () => Promise<void> };

/** @throws PlatformError 422 while another upload of this package is under way, at any controller */
async function claimPackage({ db, random, clock, log }: Controller, guid: string): Promise<Claim> {
  const lease = { claim: random.guid(), leaseS: LEASE_S };
  const hold = async () => {
    if (await claimUpload(db, guid, lease)) return;
    throw new PlatformError('UnprocessableEntity', 'An upload of this package is under way.');
  };
  await hold();
  const renewing = clock.every((LEASE_S * 1000) / 3, async () => {
    try {
      await claimUpload(db, guid, lease);
    } catch (error) {
      log.warn('failed-to-renew-upload', { packageGuid: guid, error });
    }
  });
  return {
    hold,
    [Symbol.asyncDispose]: async () => {
      renewing[Symbol.dispose]();
      await releaseUpload(db, guid, lease.claim);
    },
  };
}

async function receiveParts(controller: Controller, request: FastifyRequest, folder: string): Promise<Received> {
  if (!request.isMultipart())
    throw new PlatformError('UnprocessableEntity', 'Upload must be multipart with a part named bits or resources');
  let archive: string | undefined;
  let resources: readonly Resource[] = [];
  for await (const part of request.parts(uploadLimit(controller))) {
    if (part.type === 'file') {
      archive = join(folder, 'upload.zip');
      await pipeline(part.file, createWriteStream(archive, { mode: 0o600 }));
      if (part.file.truncated) {
        const { maxUploadMb } = controller.config.controller;
        throw new PlatformError('UploadTooLarge', `Package may not be larger than ${maxUploadMb} MB`);
      }
    } else if (part.fieldname === 'resources') {
      resources = parseResources(String(part.value ?? '[]'));
    }
  }
  if (archive === undefined && resources.length === 0) {
    throw new PlatformError('UnprocessableEntity', 'Upload must include either resources or bits');
  }
  return { archive, resources };
}

/** @throws PlatformError 422 for anything that is not a list of resources with safe paths */
export function parseResources(text: string): Resource[] {
  const list: unknown = readJson(text);
  if (!Array.isArray(list)) throw new PlatformError('UnprocessableEntity', 'Resources must be an array');
  return list.map((item: unknown) => {
    const resource = asResource(item);
    if (!resource)
      throw new PlatformError(
        'UnprocessableEntity',
        'Resources must have a checksum, a size, a path and an octal mode',
      );
    const wrong = pathProblem(resource.path);
    if (wrong) throw new PlatformError('AppPackageInvalid', `it contains ${wrong}`);
    return resource;
  });
}

/** The v3 form, or the older one with `sha1`, `size` and `fn`. */
export function asResource(item: unknown): Resource | undefined {
  if (typeof item !== 'object' || item === null) return undefined;
  const raw = item as Readonly<Record<string, unknown>>;
  const checksum = raw.checksum as { readonly value?: unknown } | undefined;
  const sha1 = checksum?.value ?? raw.sha1;
  const bytes = Number(raw.size_in_bytes ?? raw.size);
  const path = raw.path ?? raw.fn ?? '';
  const mode = raw.mode === undefined || raw.mode === null || raw.mode === '' ? '0644' : raw.mode;
  if (typeof sha1 !== 'string' || typeof path !== 'string' || typeof mode !== 'string') return undefined;
  if (!Number.isSafeInteger(bytes) || bytes < 0 || parseMode(mode) === undefined) return undefined;
  return { sha1, bytes, path, mode };
}

async function storePackage(
  controller: Controller,
  row: PackageRow,
  received: Received & { readonly folder: string; readonly claim: Claim },
): Promise<PackageRow> {
  const { blobs, db } = controller;
  const limits = limitsOf(controller);
  const unknown = received.resources.find((resource) => !isMatchable(resource));
  if (unknown)
    throw new PlatformError('AppPackageInvalid', `'${unknown.path}' is not a file that the server has; upload it`);
  using archive = received.archive === undefined ? undefined : await openArchive(received.archive, limits);
  let path = received.archive ?? '';
  if (received.resources.length > 0 || path === '') {
    path = join(received.folder, 'package.zip');
    await assemblePackage(controller, { entries: archive?.entries ?? [], resources: received.resources, limits, path });
  }
  await received.claim.hold();
  const { bytes, sha256 } = await blobs.put(`packages/${row.guid}`, createReadStream(path));
  return updatePackage(db, row.guid, { state: 'READY', bytes, sha256, error: null });
}

function limitsOf({ config }: Controller): ArchiveLimits {
  return {
    maxEntries: config.controller.maxPackageEntries,
    maxUnpackedBytes: config.controller.maxUnpackedMb * MB,
  };
}

/** Bad content is remembered with the package, since another upload of it would be as bad. */
async function explained(controller: Controller, row: PackageRow, error: unknown): Promise<unknown> {
  if (error instanceof BlobStoreFullError) {
    return new PlatformError('ServiceUnavailable', `The package could not be stored: ${error.message}.`, {
      cause: error,
    });
  }
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') {
    return new PlatformError(
      'ServiceUnavailable',
      "The package could not be stored: the controller's disk is full; free some space and try again.",
      { cause: error },
    );
  }
  if (error instanceof Error && 'code' in error && error.code === 'FST_REQ_FILE_TOO_LARGE') {
    const { maxUploadMb } = controller.config.controller;
    return new PlatformError('UploadTooLarge', `Package may not be larger than ${maxUploadMb} MB`, { cause: error });
  }
  const invalid =
    error instanceof ArchiveError ? new PlatformError('AppPackageInvalid', error.message, { cause: error }) : error;
  if (invalid instanceof PlatformError && (invalid.kind === 'AppPackageInvalid' || invalid.kind === 'UploadTooLarge')) {
    await updatePackage(controller.db, row.guid, { state: 'FAILED', error: invalid.message });
  }
  return invalid;
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new PlatformError('MessageParseError', 'resources is not JSON', { cause: error });
  }
}
