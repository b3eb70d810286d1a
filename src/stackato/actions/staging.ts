import type { Clock } from '../../platform/clock.ts';
import { type ApiClient, POLL_MS } from '../api/api-client.ts';
import { cancelBuilds, findStagingBuild, listBuildsOf } from '../api/apps.ts';
import type { LogLine } from '../api/logs.ts';
import { type App, Build } from '../api/resources.ts';
import { UnreachableError } from '../api/transport.ts';
import { ClientError, Interrupted, isApiError } from '../client-error.ts';
import type { Terminal } from '../terminal.ts';
import type { Patience } from './log-tail.ts';

export type Stage = {
  readonly api: ApiClient;
  readonly terminal: Terminal;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** What was said while staging; shown when it fails and nobody has seen it. */
  readonly heard: readonly LogLine[];
  readonly wasTold: (line: LogLine) => boolean;
  /** Lets the last lines arrive. */
  readonly settle: (patience: Patience) => Promise<void>;
};

const ATTEMPTS = 3;
const LIMIT_MS = 16 * 60_000;
const STAGING_IN_PROGRESS = 170_017;
/** The API's words for why a build of an app that goes was ended. */
const DELETED = 'the app is being deleted';

/** @throws ClientError when the app is being staged by someone else's push */
export async function refuseSecondPush(api: ApiClient, app: App, clock: Clock): Promise<void> {
  const build = await findStagingBuild(api, app);
  if (!build) return;
  const who = build.created_by?.name ? ` by ${build.created_by.name}` : '';
  const seconds = Math.round((clock.nowMs() - Date.parse(build.created_at ?? '')) / 1000);
  throw alreadyStaging(app, `${who}${Number.isFinite(seconds) ? `, started ${seconds} s ago` : ''}`);
}

/** Stages a package; gives the droplet's guid. */
export async function stage(staging: Stage, app: App, packageGuid: string): Promise<string> {
  const { api, clock, signal, terminal } = staging;
  const startedMs = clock.nowMs();
  try {
    const build = await startBuild(api, app, packageGuid);
    for (;;) {
      const { state, error, droplet } = await api.get(Build, `/v3/builds/${build}`);
      if (state === 'STAGED' && droplet) return droplet.guid;
      if (error?.includes(DELETED)) throw gone(app);
      if (state === 'FAILED' || state === 'STAGED') {
        await staging.settle({ quietMs: 300, mostMs: 2000 });
        throw stagingFailed(app, error ?? 'no reason given', staging);
      }
      if (clock.nowMs() - startedMs > LIMIT_MS) throw stagingFailed(app, 'it takes longer than 16 minutes', staging);
      terminal.progress(`Staging: ${Math.round((clock.nowMs() - startedMs) / 1000)} s`);
      await clock.sleep(POLL_MS, signal);
    }
  } catch (error) {
    if (isApiError(error, { status: 404 })) throw gone(app, error);
    if (!signal.aborted || error instanceof ClientError) throw error;
    throw await interrupted(api, app, packageGuid);
  }
}

function gone(app: App, cause?: Error): ClientError {
  return new ClientError(`${app.name} was deleted while it was staged`, {
    next: 'Push again if it was deleted by mistake',
    cause,
  });
}

/** What was begun must not keep the next push waiting. */
async function interrupted(api: ApiClient, app: App, packageGuid: string): Promise<Interrupted> {
  try {
    await cancelBuilds(api, packageGuid);
    return new Interrupted(
      `Staging of ${app.name} was cancelled; what ran before goes on running.`,
      'Push again when you like',
    );
  } catch (error) {
    return new Interrupted(
      `Staging of ${app.name} could not be cancelled (${(error as Error).message}) and goes on at the server.`,
      `Look at it with \`stackato logs ${app.name}\`; push again when it has ended`,
    );
  }
}

async function startBuild(api: ApiClient, app: App, packageGuid: string): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return (await api.post(Build, '/v3/builds', { package: { guid: packageGuid } })).guid;
    } catch (error) {
      if (isApiError(error, { code: STAGING_IN_PROGRESS })) throw alreadyStaging(app, '');
      if (!(error instanceof UnreachableError) || attempt === ATTEMPTS) throw error;
    }
    // It may have begun before the answer was lost.
    const [begun] = await listBuildsOf(api, packageGuid);
    if (begun) return begun.guid;
  }
}

function alreadyStaging(app: App, detail: string): ClientError {
  return new ClientError(`${app.name} is being staged by another push${detail}`, {
    next: `Watch that one: stackato logs ${app.name} --follow. Then push again`,
  });
}

/** What to try for each way staging fails; by words of the build's error. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [
    /NoAppDetected/,
    'Say what it is: stackato push NAME --buildpack BUILDPACK; see what there is: stackato curl /v3/buildpacks',
  ],
  [
    /StagingTimeExpired|time expired|longer than/i,
    'Does a download hang? Look at the last lines of the log above, then push again',
  ],
  [
    /InsufficientResources|StagerUnavailable/,
    'There is no room or no stager to stage with at the moment; ask an administrator to look at: kato status stager',
  ],
  [
    /disk is full|disk of the node/,
    'The platform has no disk space left; ask an administrator to free some, then push again',
  ],
  [/ran out of its \d+ MB of memory/, 'Give it more memory: stackato push NAME --mem 1G'],
  [
    /ran out of its \d+ MB of disk/,
    'Leave files out of the push with a .cfignore, or ask an administrator for more: kato config set staging.diskMb',
  ],
  [/\bstaging\.[a-z]+[A-Z]/, 'Ask an administrator about that registry, then push again'],
  [/BuildpackRelease/, 'The buildpack found no way to start the app; give one: stackato push NAME --command "…"'],
  [/BuildpackCompile|StagingError/, 'The lines above show what failed in the build; mend it and push again'],
];

function stagingFailed(app: App, error: string, staging: Stage): ClientError {
  const isNews = (line: LogLine) => staging.terminal.isJson || !staging.wasTold(line);
  const lines = staging.heard.filter((line) => line.source.startsWith('STG') && isNews(line)).slice(-10);
  return new ClientError(`Staging of ${app.name} failed: ${error}`, {
    details: lines.map(({ text }) => `  ${text}`),
    next: adviceOn(error, app.name),
  });
}

/** What to try next, by the error of a build. */
export function adviceOn(error: string, app: string): string {
  const advice =
    ADVICE.find(([pattern]) => pattern.test(error))?.[1] ?? 'Mend what the log above names, and push again';
  return advice.replace('NAME', app);
}
