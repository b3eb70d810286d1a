/** One step of a staging task. */
export type StagingStep = {
  readonly kind:
    | 'choose-buildpacks'
    | 'fetch-package'
    | 'check-package'
    | 'fetch-buildpacks'
    | 'fetch-cache'
    | 'create-container'
    | 'build'
    | 'read-result'
    | 'upload'
    | 'finish';
  readonly because: string;
};

/**
 * The steps of a task, in order. What can be refused cheaply comes first, the container comes last before the build
 * so that its memory is held for as short as possible.
 */
export function planStaging(request: { readonly hasCache: boolean }): StagingStep[] {
  const steps: (StagingStep | false)[] = [
    { kind: 'choose-buildpacks', because: 'a buildpack that does not exist is refused before anything is fetched' },
    { kind: 'fetch-package', because: 'the source is needed to detect' },
    { kind: 'check-package', because: 'a harmful archive must not be unpacked' },
    { kind: 'fetch-buildpacks', because: 'each candidate must be at hand to be asked' },
    request.hasCache && { kind: 'fetch-cache', because: 'the app was staged before' },
    { kind: 'create-container', because: 'foreign code runs within limits' },
    { kind: 'build', because: 'the buildpack makes the source runnable' },
    { kind: 'read-result', because: 'the start commands come from the buildpack and the Procfile' },
    { kind: 'upload', because: 'the droplet is what DEAs run' },
    { kind: 'finish', because: 'people read how it ended' },
  ];
  return steps.filter((step) => step !== false);
}

/** Exit codes of the build inside the container; those of buildpack phases are Cloud Foundry's. */
export const buildExit = {
  detect: 222,
  compile: 223,
  release: 224,
  unpack: 225,
  fetchBuildpack: 226,
  pack: 227,
  /** The package unpacks to more than it declares. */
  bomb: 228,
} as const;

/** A buildpack that has no name, version or key says so with null. */
export type CandidateLine = {
  readonly kind: 'local' | 'zip' | 'git';
  /** Folder below the staging folder, or URL. */
  readonly location: string;
  readonly branch: string;
  readonly name: string;
};

/**
 * What the build inside the container reads to know its buildpacks: one a line, fields separated by tabs, `-` for an
 * empty field, because the shell's `read` joins empty ones.
 */
export function formatCandidates(candidates: readonly CandidateLine[]): string {
  const clean = (text: string) => text.replace(/[\t\r\n]/g, ' ') || '-';
  return candidates.map((one) => `${[one.kind, one.location, one.branch, one.name].map(clean).join('\t')}\n`).join('');
}
