import { buildExit } from './staging-plan.ts';

/** Why a build failed: an error type of the staging result, and a text for people. */
export type StagingFailure = { readonly type: string; readonly message: string };

export type FailedBuild = {
  readonly exitCode: number;
  readonly outOfMemory: boolean;
  readonly memoryMb: number;
  readonly diskMb: number;
  readonly diskBytes: number;
  /** Name of the buildpack that was at work; empty when none was. */
  readonly buildpack: string;
  /** What each buildpack said when it did not recognise the app. */
  readonly lookedFor: readonly { readonly name: string; readonly said: string }[];
  /** Last lines of the output. */
  readonly tail: readonly string[];
};

/** What stands between the cause and the last lines of the output in a message. */
export const lastLinesMark = '\nThe last lines were:';

/** Names the cause of a failed build, from the most certain sign to the least. */
export function explainFailure(build: FailedBuild): StagingFailure {
  const { type, what } = failedPhase(build);
  if (build.exitCode === buildExit.bomb) return { type, message: `${what}; make the archive again and push it` };
  if (type === 'NoAppDetectedError') return { type, message: noAppDetected(build) };
  const cause = causeOf(build);
  const said = complaint(build.tail);
  const isSaid = cause === '' && said.length > 0;
  const because = isSaid ? said.map((line) => line.slice(mark.length).trim()).join(' ') : cause;
  const rest = isSaid ? build.tail.filter((line) => !said.includes(line)) : build.tail;
  return { type, message: `${what}${because ? `: ${because}` : ''}${lastLines(rest)}` };
}

/** The message for a task that used up its time. */
export function explainTimeout(timeoutS: number, tail: readonly string[]): StagingFailure {
  const message = `Staging took longer than the limit of ${timeoutS} s${lastLines(tail)}`;
  return { type: 'StagingTimeExpired', message };
}

/** How buildpacks begin lines that people must read. */
const mark = ' !     ';

/** What a buildpack complained of last. */
function complaint(tail: readonly string[]): string[] {
  const lines = tail.filter((line) => line.trim() !== '').slice(-8);
  const last = lines.findLastIndex((line) => line.startsWith(mark));
  const before = lines.findLastIndex((line, at) => at < last && !line.startsWith(mark));
  return lines.slice(before + 1, last + 1);
}

function lastLines(tail: readonly string[]): string {
  const last = tail.filter((line) => line.trim() !== '').slice(-8);
  return last.length > 0 ? `${lastLinesMark}\n${last.map((line) => `  ${line}`).join('\n')}` : '';
}

function failedPhase({ exitCode, buildpack }: FailedBuild): { type: string; what: string } {
  const who = buildpack || 'The buildpack';
  if (exitCode === buildExit.detect) return { type: 'NoAppDetectedError', what: '' };
  if (exitCode === buildExit.compile) return { type: 'BuildpackCompileFailed', what: `${who} could not build the app` };
  if (exitCode === buildExit.release) {
    return { type: 'BuildpackReleaseFailed', what: `${who} built the app but failed to say how to start it` };
  }
  if (exitCode === buildExit.unpack) return { type: 'StagingError', what: 'The app package could not be unpacked' };
  if (exitCode === buildExit.bomb) {
    return { type: 'AppPackageInvalid', what: 'The app package is invalid: it unpacks to more than it declares' };
  }
  if (exitCode === buildExit.fetchBuildpack) {
    return { type: 'StagingError', what: `The buildpack ${buildpack} could not be fetched` };
  }
  if (exitCode === buildExit.pack) return { type: 'StagingError', what: 'The droplet could not be packed' };
  return { type: 'StagingError', what: `The staging container ended with exit status ${exitCode}` };
}

function noAppDetected({ lookedFor }: FailedBuild): string {
  const lines = lookedFor.map(({ name, said }) => `  ${name}: ${said}`).join('\n');
  return (
    'None of the buildpacks recognised the app. Push from the folder that holds the source, name a buildpack ' +
    `(--buildpack or 'buildpacks:' in the manifest), or add a Procfile. What each one looked for:\n${lines}`
  );
}

function causeOf(build: FailedBuild): string {
  const text = build.tail.join('\n');
  const killed = build.exitCode === 137 || /\bkilled\b|JavaScript heap out of memory|MemoryError/i.test(text);
  if (build.outOfMemory || (killed && build.tail.some((line) => /heap out of memory|MemoryError|Killed/i.test(line)))) {
    return `staging ran out of its ${build.memoryMb} MB of memory; give the app more memory`;
  }
  const isFull = build.diskMb > 0 && build.diskBytes >= build.diskMb * 1_048_576 * 0.98;
  if (isFull || /Disk quota exceeded|EDQUOT/i.test(text)) {
    return `staging ran out of its ${build.diskMb} MB of disk; leave files out of the push (.cfignore) or ask for more disk`;
  }
  if (/No space left on device|ENOSPC/i.test(text)) {
    return 'the disk of the node that staged it is full, or the 64 MB of /dev/shm; an administrator can see more with: kato inspect';
  }
  return erring(text) ?? (complaint(build.tail).length > 0 ? '' : (unreachable(text) ?? ''));
}

type RegistrySign = { readonly sign: RegExp; readonly tool: string; readonly setting: string };

/** A registry that answers with an error of its own, which is no fault of the app. */
const errorSigns: readonly RegistrySign[] = [
  { sign: /npm (?:error|ERR!) code E(5\d\d)/, tool: 'the npm registry', setting: 'staging.npmRegistry' },
  { sign: /\b(5\d\d) Server Error: /, tool: 'the Python package index', setting: 'staging.pipIndex' },
  { sign: /bad response .* (5\d\d)\b/, tool: 'the gem source', setting: 'staging.gemSource' },
  { sign: /reading https?:\S+: (5\d\d) /, tool: 'the Go module proxy', setting: 'staging.goProxy' },
  { sign: /transfer failed for \S+ status: (5\d\d) /, tool: 'the Maven repository', setting: 'staging.mavenMirror' },
  {
    sign: /could not be downloaded\s+\(HTTP\/[\d.]+ (5\d\d)/,
    tool: 'the Composer repository',
    setting: 'staging.composerRepository',
  },
];

function erring(text: string): string | undefined {
  for (const { sign, tool, setting } of errorSigns) {
    const match = sign.exec(text);
    if (!match) continue;
    const host = hostAround(text, match);
    return `${tool}${host ? ` (${host})` : ''} answered with status ${match[1]}; push again later, or an operator can set another one in '${setting}'`;
  }
  return undefined;
}

/** A registry that could not be reached: signs in the output of each tool, and the setting an operator checks. */
const registrySigns: readonly RegistrySign[] = [
  {
    sign: /npm (?:error|ERR!).*(?:ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ENETUNREACH|network|UNABLE_TO_|SELF_SIGNED)/i,
    tool: 'the npm registry',
    setting: 'staging.npmRegistry',
  },
  {
    sign: /NewConnectionError|ConnectTimeoutError|ReadTimeoutError|Max retries exceeded|CERTIFICATE_VERIFY_FAILED|NameResolutionError/i,
    tool: 'the Python package index',
    setting: 'staging.pipIndex',
  },
  {
    sign: /(?:Could not reach host|Could not fetch specs|Net::OpenTimeout|Gem::RemoteFetcher|HTTPError Could not fetch|certificate verify failed \()/i,
    tool: 'the gem source',
    setting: 'staging.gemSource',
  },
  {
    sign: /(?:go: |@v\d).*(?:dial tcp|i\/o timeout|no such host|connection refused|x509:|TLS handshake)/i,
    tool: 'the Go module proxy',
    setting: 'staging.goProxy',
  },
  {
    sign: /(?:Could not transfer artifact|Unknown host|Connect to \S+ .*(?:failed|timed out)|PKIX path building failed)/i,
    tool: 'the Maven repository',
    setting: 'staging.mavenMirror',
  },
  {
    sign: /(?:curl error \d+ while downloading|The ".*packages\.json" file could not be downloaded)/i,
    tool: 'the Composer repository',
    setting: 'staging.composerRepository',
  },
  {
    sign: /curl: \((?:5|6|7|28|35|60)\)|Could not resolve host|Failed to connect to/i,
    tool: 'a server',
    setting: 'staging.environment (proxies)',
  },
];

function unreachable(text: string): string | undefined {
  const match = registrySigns.find(({ sign }) => sign.test(text));
  const at = match?.sign.exec(text);
  if (!match || !at) return undefined;
  const host = hostAround(text, at);
  const isTls = /certificate|x509|UNABLE_TO_|SELF_SIGNED|PKIX/i.test(text);
  const check = isTls
    ? "its certificate is not trusted; an operator can add the authority with 'staging.caFile'"
    : `an operator can set '${match.setting}', and the app's egress rules must allow it`;
  return `${match.tool}${host ? ` (${host})` : ''} could not be reached; ${check}`;
}

/** The host named in the line of a sign, or else anywhere: tools name others too, such as their handbook's. */
function hostAround(text: string, { index, 0: found }: RegExpExecArray): string | undefined {
  const end = text.indexOf('\n', index + found.length);
  const line = text.slice(text.lastIndexOf('\n', index) + 1, end < 0 ? undefined : end);
  return hostIn(line) ?? hostIn(text);
}

function hostIn(text: string): string | undefined {
  const found =
    /(?:https?:\/\/|host[=: ]+['"]?|lookup |Could not resolve host: )([a-z0-9][a-z0-9.-]*\.[a-z0-9-]+(?::\d+)?)/i.exec(
      text,
    );
  return found?.[1];
}
