import { exec } from './exec.ts';

/** renameat2, by architecture. */
const CALL: Readonly<Record<string, number>> = { x64: 316, arm64: 276 };
const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;
const code = 'syscall($ARGV[0] + 0, $ARGV[1] + 0, $ARGV[2], $ARGV[1] + 0, $ARGV[3], $ARGV[4] + 0) == 0 or die "$!\\n"';

/**
 * Swaps two names of one file system at once: at no moment is one of them missing.
 *
 * @throws ExecError with the system's reason
 */
export async function exchange(one: string, other: string): Promise<void> {
  const call = CALL[process.arch] ?? 0;
  await exec(['perl', '-e', code, `${call}`, `${AT_FDCWD}`, one, other, `${RENAME_EXCHANGE}`]);
}
