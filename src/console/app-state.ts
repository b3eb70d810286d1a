import type { App, Process } from './resources.ts';

/** Worst first. */
const WORSE = ['CRASHED', 'DOWN', 'STOPPING', 'STARTING'];

/** What an app is doing: the worst state of its instances, or what is asked of it when all run. */
export function appState(app: Pick<App, 'state'>, processes: readonly Pick<Process, 'process_instances'>[]): string {
  if (app.state !== 'STARTED') return app.state;
  const states = processes.flatMap((one) => one.process_instances ?? []).map(({ state }) => state);
  return WORSE.find((state) => states.includes(state)) ?? app.state;
}
