/** The desired state of one process, as far as running instances depend on it. */
export type DesiredProcess = {
  readonly process: string;
  readonly isStarted: boolean;
  readonly instances: number;
  readonly version: string;
  /** Changes reach running instances without a restart. */
  readonly uris: readonly string[];
};

/** What has to be said to DEAs after a change of desired state was committed. */
export type AppEffect =
  | { readonly kind: 'start'; readonly process: string; readonly indices: readonly number[]; readonly because: string }
  | {
      readonly kind: 'stop-indices';
      readonly process: string;
      readonly version: string;
      readonly indices: readonly number[];
      readonly because: string;
    }
  | { readonly kind: 'stop-version'; readonly process: string; readonly version: string; readonly because: string }
  | { readonly kind: 'stop-all'; readonly process: string; readonly because: string }
  | {
      readonly kind: 'route';
      readonly process: string;
      readonly version: string;
      readonly uris: readonly string[];
      readonly because: string;
    }
  | { readonly kind: 'announce'; readonly process: string; readonly because: string };

/**
 * The effects of a committed change, in the order in which they are to happen; `undefined` means that the process
 * does not exist. A restart stops what runs and starts the new version; the stop comes first, so that its memory is free.
 */
export function effectsOfChange(before: DesiredProcess | undefined, after: DesiredProcess | undefined): AppEffect[] {
  const process = after?.process ?? before?.process;
  if (process === undefined || (before && after && isSame(before, after))) return [];
  const announce: AppEffect = { kind: 'announce', process, because: 'desired state changed' };
  return [...instanceEffects(process, running(before), running(after)), announce];
}

/** Numbers from `from` to `to - 1`. */
export function indicesBetween(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}

const running = (desired: DesiredProcess | undefined) =>
  desired?.isStarted && desired.instances > 0 ? desired : undefined;

function instanceEffects(
  process: string,
  before: DesiredProcess | undefined,
  after: DesiredProcess | undefined,
): AppEffect[] {
  if (!before && !after) return [];
  if (!after) return [{ kind: 'stop-all', process, because: 'the process is stopped' }];
  const all = indicesBetween(0, after.instances);
  if (!before) return [{ kind: 'start', process, indices: all, because: 'the process is started' }];
  if (before.version !== after.version) {
    return [
      { kind: 'stop-version', process, version: before.version, because: `version ${after.version} replaces it` },
      { kind: 'start', process, indices: all, because: `version ${after.version} is new` },
    ];
  }
  return [...scaleEffects(before, after), ...routeEffects(before, after)];
}

function scaleEffects(before: DesiredProcess, after: DesiredProcess): AppEffect[] {
  const { process, version } = after;
  const because = `scaled from ${before.instances} to ${after.instances}`;
  if (after.instances > before.instances) {
    return [{ kind: 'start', process, indices: indicesBetween(before.instances, after.instances), because }];
  }
  if (after.instances === before.instances) return [];
  const indices = indicesBetween(after.instances, before.instances);
  return [{ kind: 'stop-indices', process, version, indices, because }];
}

function routeEffects(before: DesiredProcess, after: DesiredProcess): AppEffect[] {
  if (isSameList(before.uris, after.uris)) return [];
  return [
    { kind: 'route', process: after.process, version: after.version, uris: after.uris, because: 'its routes changed' },
  ];
}

function isSame(a: DesiredProcess, b: DesiredProcess): boolean {
  return (
    a.isStarted === b.isStarted && a.instances === b.instances && a.version === b.version && isSameList(a.uris, b.uris)
  );
}

function isSameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && [...a].sort().join('\n') === [...b].sort().join('\n');
}
