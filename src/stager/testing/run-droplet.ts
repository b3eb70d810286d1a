import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContainerEngine, Egress } from '../../container/container.ts';
import { systemClock } from '../../platform/clock.ts';

const PORT = 8080;
const launch =
  'cd /home/vcap && tar -xzf /droplet.tgz && cd app && ' +
  'for f in /home/vcap/profile.d/*.sh .profile.d/*.sh .profile; do [ -f "$f" ] && . "$f"; done; exec bash -c "$1"';

/** Runs a droplet in a container as a DEA would; gives its answer to `GET /`, its exit after SIGTERM, and its output. */
export async function runDroplet(
  engine: ContainerEngine,
  run: {
    droplet: Buffer;
    command: string;
    folder: string;
    handle: string;
    egress: readonly Egress[];
    asksHttp: boolean;
  },
): Promise<{ answer: string; code: number; output: string[] }> {
  const file = join(run.folder, `${run.handle}.tgz`);
  await writeFile(file, run.droplet);
  await chmod(file, 0o644);
  const { address } = await engine.create({
    handle: run.handle,
    root: { stack: 'stackato' },
    limits: { memoryMb: 256, diskMb: 1024, pids: 256, fds: 4096 },
    ports: [PORT],
    egress: run.egress,
    mounts: [{ source: file, destination: '/droplet.tgz', writable: false }],
  });
  await engine.start(run.handle, {
    args: ['/bin/bash', '-c', launch, 'launch', run.command],
    env: {
      PATH: '/usr/local/bin:/usr/bin:/bin',
      HOME: '/home/vcap/app',
      TMPDIR: '/home/vcap/tmp',
      DEPS_DIR: '/home/vcap/deps',
      PORT: String(PORT),
      MEMORY_LIMIT: '256m',
      CF_INSTANCE_INDEX: '7',
      VCAP_APPLICATION: '{"name":"sample"}',
      LANG: 'C.UTF-8',
    },
    cwd: '/home/vcap',
    uid: 2000,
    gid: 2000,
  });
  const output: string[] = [];
  const deadline = AbortSignal.timeout(60_000);
  const reading = (async () => {
    for await (const lines of engine.output(run.handle, { signal: deadline })) {
      output.push(...lines.map((line) => line.text));
    }
  })();
  try {
    const answer = run.asksHttp
      ? await firstAnswer(`http://${address}:${PORT}/`, deadline)
      : await firstLine(engine, run.handle, deadline);
    await engine.signal(run.handle, 'SIGTERM');
    const { code } = await engine.wait(run.handle, deadline);
    await reading;
    return { answer, code, output };
  } catch (error) {
    throw new Error(`${run.handle} did not run as it should; it said:\n${output.join('\n')}`, { cause: error });
  } finally {
    await engine.destroy(run.handle);
  }
}

async function firstAnswer(url: string, deadline: AbortSignal): Promise<string> {
  for (;;) {
    try {
      const response = await fetch(url, { signal: deadline });
      return `${response.status} ${await response.text()}`;
    } catch (error) {
      if (deadline.aborted) throw error;
      await systemClock.sleep(100, deadline);
    }
  }
}

async function firstLine(engine: ContainerEngine, handle: string, signal: AbortSignal): Promise<string> {
  for await (const lines of engine.output(handle, { signal })) return lines[0]?.text ?? '';
  return '';
}
