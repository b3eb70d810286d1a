import { subjects } from '../../contract/subjects.ts';
import { systemClock } from '../../platform/clock.ts';
import { environment } from '../../platform/config.ts';
import { start } from '../../platform/exec.ts';
import { sourceRoot } from '../../platform/paths.ts';
import { openNode } from '../node.ts';
import { ReadinessProbe } from '../readiness.ts';

const ALIVE_EVERY_MS = 2000;
type Words = { readonly stdout?: string; readonly stderr?: string; readonly code?: number };

const LAST_WORD_MS = 60_000;

/**
 * Runs kato with these arguments and tells the bus what it says and how it ends. The bus may be away for as long as the
 * command restarts it.
 *
 * @returns the exit code of the command
 */
export async function tellCommand(commandId: string, args: readonly string[]): Promise<number> {
  const node = await openNode();
  await using probe = new ReadinessProbe(node);
  let bus = await probe.bus();
  if (bus === undefined) throw new Error('the bus does not answer: nobody would learn what the command says');
  const unsaid: Words[] = [];
  const tell = (words: Words) => {
    if (bus?.status() === 'connected') bus.publish(subjects.nodeOutput, [commandId], { node: node.file.id, ...words });
    else unsaid.push(words);
  };
  using _alive = systemClock.every(ALIVE_EVERY_MS, () => tell({}));
  const child = start([`${sourceRoot}/bin/kato`, ...args], { cwd: '/', env: ownEnvironment(commandId) }, [
    'ignore',
    'pipe',
    'pipe',
  ]);
  child.stdout?.setEncoding('utf8').on('data', (stdout: string) => tell({ stdout }));
  child.stderr?.setEncoding('utf8').on('data', (stderr: string) => tell({ stderr }));
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  child.on('error', reject);
  child.on('close', (code) => resolve(code ?? 1));
  const code = await promise;
  const endMs = systemClock.nowMs() + LAST_WORD_MS;
  // The command may have changed the passwords too.
  while (bus?.status() !== 'connected' && systemClock.nowMs() < endMs) {
    await systemClock.sleep(200);
    bus = await probe.bus();
  }
  for (const words of unsaid.splice(0)) tell(words);
  tell({ code });
  return code;
}

/** What this process has, and that the command came from the Core. */
function ownEnvironment(commandId: string): Record<string, string> {
  const own = Object.entries(environment.all()).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, value]],
  );
  return { ...Object.fromEntries(own), STACKATO_COMMAND: commandId };
}
