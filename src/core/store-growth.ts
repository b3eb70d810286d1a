const MB = 1024 * 1024;
/** What a store leaves free on the disk around it, for the database, the blobs and the logs of the node. */
export const KEPT_FREE_BYTES = 1024 * MB;
const STEP_BYTES = 512 * MB;
const SMALLEST_STEP_BYTES = 16 * MB;
const LEAST_HEADROOM_BYTES = 512 * MB;
const MOST_HEADROOM_BYTES = 4096 * MB;
/** Containers may write so many times more until the next look than they did until this one. */
const FASTER = 2;

/** The file behind a container store, its file system, and the disk that it lies on. Bytes. */
export type StoreSpace = {
  readonly imageBytes: number;
  readonly largestBytes: number;
  readonly freeInsideBytes: number;
  readonly freeOutsideBytes: number;
};

/** How much larger the file may become. Bytes. */
export function growableBytes(space: Pick<StoreSpace, 'imageBytes' | 'largestBytes' | 'freeOutsideBytes'>): number {
  const room = Math.min(space.largestBytes - space.imageBytes, space.freeOutsideBytes - KEPT_FREE_BYTES);
  return Math.max(0, room);
}

/** What should be free inside, by what was written since the last look. Bytes. */
export function headroomBytes(writtenBytes: number): number {
  return Math.min(MOST_HEADROOM_BYTES, Math.max(LEAST_HEADROOM_BYTES, FASTER * writtenBytes));
}

/** The file's next size so that `wantedBytes` are free inside, as near as there is room; undefined = as it is. Bytes. */
export function grownSize(space: StoreSpace, wantedBytes: number): number | undefined {
  const missing = wantedBytes - space.freeInsideBytes;
  if (missing <= 0) return undefined;
  const by = Math.min(Math.ceil(missing / STEP_BYTES) * STEP_BYTES, growableBytes(space));
  return by < SMALLEST_STEP_BYTES ? undefined : space.imageBytes + Math.floor(by / MB) * MB;
}
