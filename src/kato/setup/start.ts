import { listProcesses } from '../../core/role-plan.ts';
import { startProcesses } from '../lifecycle.ts';
import { ReadinessProbe } from '../readiness.ts';
import { prepareControlDatabase } from '../store/control-database.ts';
import { databaseServer } from '../store/database-server.ts';
import { readSecrets } from './secrets.ts';
import type { Step } from './step.ts';

/** Starts the database and makes its users; they must be there before the processes that log in as them. */
export const prepareDatabase: Step = {
  title: 'Database users',
  run: async (context) => {
    const node = await context.node();
    const database = listProcesses(node.file).filter(({ name }) => name === 'postgresql');
    await startProcesses(node, database, { say: () => {}, signal: context.signal });
    const secrets = await readSecrets(node.paths);
    const server = databaseServer(node.paths, secrets);
    await prepareControlDatabase(server, secrets.database, { isCluster: !node.file.isMicro });
    return 'already';
  },
};

/** Starts every process and waits until each is ready. */
export const startEverything: Step = {
  title: 'Start every role',
  run: async (context) => {
    const node = await context.node();
    const plans = listProcesses(node.file);
    await using probe = new ReadinessProbe(node);
    if ((await probe.look(plans)).every(({ ready }) => ready)) return 'already';
    await startProcesses(node, plans, {
      say: (text) => context.terminal.say(`        ${text}`),
      signal: context.signal,
    });
    return 'done';
  },
};
