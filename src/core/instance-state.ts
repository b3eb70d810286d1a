/** States of an instance on its DEA. */
export const instanceStates = ['BORN', 'STARTING', 'RUNNING', 'EVACUATING', 'STOPPING', 'STOPPED', 'CRASHED'] as const;
export type InstanceState = (typeof instanceStates)[number];

/** What happens to an instance: `exit` is the end of its main process that nobody asked for. */
export const instanceEvents = ['start', 'healthy', 'evacuate', 'stop', 'stopped', 'exit', 'fail', 'reap'] as const;
export type InstanceEvent = (typeof instanceEvents)[number];

const matrix: Readonly<Record<InstanceState, Partial<Record<InstanceEvent, InstanceState>>>> = {
  BORN: { start: 'STARTING', fail: 'CRASHED', stop: 'STOPPING' },
  STARTING: { healthy: 'RUNNING', exit: 'CRASHED', fail: 'CRASHED', stop: 'STOPPING' },
  RUNNING: { evacuate: 'EVACUATING', exit: 'CRASHED', fail: 'CRASHED', stop: 'STOPPING' },
  EVACUATING: { exit: 'CRASHED', fail: 'CRASHED', stop: 'STOPPING' },
  // The end of the process is what a stop waits for, not a crash.
  STOPPING: { exit: 'STOPPING', stopped: 'STOPPED' },
  STOPPED: {},
  CRASHED: { reap: 'STOPPED', stop: 'STOPPING' },
};

/** The state after an event, or why the event has no meaning in this state. */
export function transition(state: InstanceState, event: InstanceEvent): { to: InstanceState } | { refused: string } {
  const to = matrix[state][event];
  return to === undefined ? { refused: `an instance that is ${state} can't ${event}` } : { to };
}

/** Does an instance in this state hold its memory? */
export function holdsMemory(state: InstanceState): boolean {
  return state !== 'STOPPED' && state !== 'CRASHED';
}

/** Is an instance in this state part of a heartbeat? */
export function isReported(state: InstanceState): boolean {
  return state === 'STARTING' || state === 'RUNNING' || state === 'CRASHED' || state === 'EVACUATING';
}

/** Does an instance in this state get traffic? */
export function isRouted(state: InstanceState): boolean {
  return state === 'RUNNING' || state === 'EVACUATING';
}
