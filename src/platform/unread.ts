/** Fires when nobody reads the output any more, as with `| head`, or when the terminal is gone. */
export function whenUnread(...streams: readonly NodeJS.WriteStream[]): AbortSignal {
  const unread = new AbortController();
  for (const stream of streams) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE' && error.code !== 'EIO') throw error;
      unread.abort();
    });
  }
  return unread.signal;
}
