/** Argument arrays for the store. */
export const btrfs = {
  format: (image: string) => [
    ...['mkfs.btrfs', '-q', '--nodiscard', '--data', 'single', '--metadata', 'dup', '--label', 'fence'],
    image,
  ],
  /** Usage is known once it is written, so that happens every few seconds. What is free is kept: the disk may be full. */
  mountImage: (image: string, target: string) => ['mount', '-o', 'loop,noatime,nodiscard,commit=5', image, target],
  tellLoopSize: (device: string) => ['losetup', '--set-capacity', device],
  resizeToDevice: (store: string) => ['btrfs', 'filesystem', 'resize', 'max', store],
  createSubvolume: (path: string) => ['btrfs', 'subvolume', 'create', path],
  snapshot: (from: string, to: string, options: { readonly?: boolean } = {}) => [
    ...['btrfs', 'subvolume', 'snapshot', ...(options.readonly ? ['-r'] : [])],
    ...[from, to],
  ],
  deleteSubvolumes: (paths: readonly string[]) => ['btrfs', 'subvolume', 'delete', ...paths],
  setReadOnly: (path: string, readOnly: boolean) => ['btrfs', 'property', 'set', '-ts', path, 'ro', String(readOnly)],
  /** Counts what is written to this subvolume itself, not what it shares with its stack or image. */
  limit: (bytes: number, path: string) => ['btrfs', 'qgroup', 'limit', '-e', String(bytes), path],
  usage: (store: string) => ['btrfs', 'qgroup', 'show', '--raw', store],
  enableQuota: (store: string) => ['btrfs', 'quota', 'enable', store],
  /**
   * Simple quotas count at once and cost nothing at a snapshot; the distribution's tool can't switch them on yet, so
   * the request (BTRFS_IOC_QUOTA_CTL, command 4) is made here.
   */
  enableSimpleQuota: (store: string) => [
    ...['perl', '-e'],
    'open(my $d, "<", $ARGV[0]) or die "$!"; my $a = pack("Q<Q<", 4, 0); ioctl($d, 0xC0109428, $a) or die "$!"',
    store,
  ],
} as const;

/** Bytes written per subvolume path, from `btrfs qgroup show --raw`. */
export function parseUsage(text: string): Map<string, number> {
  const usage = new Map<string, number>();
  for (const line of text.split('\n')) {
    const match = /^0\/\d+\s+\d+\s+(\d+)\s+(\S+)\s*$/.exec(line);
    if (match?.[2]) usage.set(match[2], Number(match[1]));
  }
  return usage;
}
