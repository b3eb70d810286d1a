import { Badge } from '@mantine/core';

const COLOR: Readonly<Record<string, string>> = {
  RUNNING: 'teal',
  STARTED: 'teal',
  READY: 'teal',
  STARTING: 'yellow',
  STOPPING: 'yellow',
  BACKOFF: 'orange',
  CRASHED: 'red',
  FATAL: 'red',
  EXITED: 'red',
  DOWN: 'red',
};

/** A state in the platform's own word, coloured by how well that is. */
export function StateBadge({ state }: { state: string }) {
  return (
    <Badge color={COLOR[state] ?? 'gray'} variant="light">
      {state}
    </Badge>
  );
}
