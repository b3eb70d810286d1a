import YAML from 'yaml';
import { PlatformError } from '../contract/errors.ts';
import type { ChosenBuildpack } from '../core/buildpack-choice.ts';
import { mergeProcesses, type Processes, parseProcfile } from '../core/procfile.ts';
import type { StagingContainer } from './staging-container.ts';

/** What a build that succeeded left: the buildpacks that took part, the last one having made the start commands. */
export type BuildReport = {
  readonly buildpacks: readonly {
    name: string;
    buildpack_name: string;
    detect_output: string;
    version: string | null;
  }[];
  readonly last: ChosenBuildpack;
  /** What the buildpack calls the app, or the buildpack's name. */
  readonly detected: string;
  readonly processes: Processes;
};

/** Reads what a build left, which is foreign. @throws PlatformError 'BuildpackReleaseFailed' or 'StagingError' */
export async function readReport(
  container: StagingContainer,
  chosen: readonly ChosenBuildpack[],
): Promise<BuildReport> {
  const text = async (name: string) => (await container.readText(name)) ?? '';
  const at = await container.readText('detected-at');
  const used = at === undefined ? chosen : chosen.slice(Number(at), Number(at) + 1);
  const last = used.at(-1);
  if (!last) throw new PlatformError('StagingError', 'the build did not say which buildpack it used');
  const detectOutput = (await text('detect-output')).trim().slice(0, 200);
  const versions = (await text('versions')).split('\n');
  const procfile = parseProcfile(await text('Procfile'));
  if ('error' in procfile) throw new PlatformError('StagingError', procfile.error);
  return {
    buildpacks: used.map((one, i) => ({
      name: one.name,
      buildpack_name: one.name,
      detect_output: detectOutput,
      version: versions[i]?.trim() || null,
    })),
    last,
    detected: detectOutput || last.name,
    processes: mergeProcesses(readReleased(await text('release.yml')), procfile.processes),
  };
}

/** What each buildpack said when it did not recognise the app. */
export async function readLookedFor(container: StagingContainer): Promise<{ name: string; said: string }[]> {
  const lines = ((await container.readText('looked-for')) ?? '').split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const [name = '', said = ''] = line.split('\t');
    return { name, said: said.slice(0, 200) };
  });
}

/** The `default_process_types` of bin/release's YAML. */
export function readReleased(yaml: string): Processes {
  const document = YAML.parseDocument(yaml, { maxAliasCount: 10 } as YAML.ParseOptions & YAML.DocumentOptions);
  const problem = document.errors[0]?.message.split('\n')[0];
  if (problem !== undefined) throw releaseFailed(`bin/release did not print YAML: ${problem}`);
  const value: unknown = document.toJS({ maxAliasCount: 10 });
  if (value === null || value === undefined) return {};
  if (typeof value !== 'object') throw releaseFailed('bin/release did not print a YAML map');
  const types = (value as Record<string, unknown>).default_process_types ?? {};
  if (typeof types !== 'object') throw releaseFailed('default_process_types in the release is not a map');
  return Object.fromEntries(
    Object.entries(types as object).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}

function releaseFailed(why: string): PlatformError {
  return new PlatformError('BuildpackReleaseFailed', '', { cause: new Error(why) });
}
