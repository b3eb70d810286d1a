import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { exec } from '../../platform/exec.ts';
import { readTextIfExists } from '../../platform/files.ts';
import type { Random } from '../../platform/random.ts';
import type { ExecOutcome, ProcessSpec } from '../container.ts';
import { failure } from './failure.ts';
import { sendSignal } from './monitors.ts';
import type { Layout } from './naming.ts';
import { ociProcess } from './oci-spec.ts';
import type { ContainerRecord } from './record.ts';
import type { RuntimeCommands } from './runtime-commands.ts';

const TIMEOUT_MS = 60_000;
const ANY_CODE = Array.from({ length: 256 }, (_, code) => code);

type Given = {
  readonly layout: Layout;
  readonly commands: RuntimeCommands;
  readonly random: Random;
  readonly record: ContainerRecord;
  readonly process: ProcessSpec;
};

/** Runs one more process in a container to its end; when it takes too long, it is killed too, not only our command. */
export async function execInside(given: Given, options: { timeoutMs?: number; input?: Buffer }): Promise<ExecOutcome> {
  const { layout, commands, random, record, process } = given;
  const base = join(layout.folder(record.id), `exec-${random.hex(6)}`);
  const files = { process: `${base}.json`, pid: `${base}.pid` };
  await writeFile(files.process, JSON.stringify(ociProcess(process, record.limits.fds)), { mode: 0o600 });
  try {
    return await exec(commands.exec(record.id, files), {
      okCodes: ANY_CODE,
      timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
      ...(options.input ? { input: options.input } : {}),
    });
  } catch (error) {
    const pid = Number(await readTextIfExists(files.pid));
    if (pid > 1) sendSignal(pid, 'SIGKILL');
    throw failure(`${process.args[0] ?? 'a process'} did not end in ${record.handle}`, error);
  } finally {
    await Promise.all([rm(files.process, { force: true }), rm(files.pid, { force: true })]);
  }
}
