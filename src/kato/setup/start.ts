import { listProcesses } from '../../core/role-plan.ts';
import { restartProcesses, startProcesses, stopProcesses } from '../lifecycle.ts';
import { ReadinessProbe } from '../readiness.ts';
import { prepareControlDatabase } from '../store/control-database.ts';
import { databaseServer } from '../store/database-server.ts';
import { hasMark, OTHER_KIND, removeMark } from './marks.ts';
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
    const options = { say: (text: string) => context.terminal.say(`        ${text}`), signal: context.signal };
    if (await hasMark(node.paths, OTHER_KIND)) {
      // Its successor could not speak to instances as this one does, and would not take over its table.
      await stopProcesses(
        node,
        plans.filter(({ name }) => name === 'router'),
        options,
      );
      await restartProcesses(node, plans, options);
      await removeMark(node.paths, OTHER_KIND);
      return 'done';
    }
    await using probe = new ReadinessProbe(node);
    if ((await probe.look(plans)).every(({ ready }) => ready)) return 'already';
    await startProcesses(node, plans, options);
    return 'done';
  },
};
