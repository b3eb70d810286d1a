import type { Command } from 'commander';
import { formatMb, parseSizeMb } from '../../contract/units.ts';
import { describeStates, waitUntilRunning } from '../actions/app-start.ts';
import { startTail } from '../actions/log-tail.ts';
import { refuseSecondPush, stage } from '../actions/staging.ts';
import {
  actOnApp,
  findLatestPackage,
  getApp,
  listAppRoutes,
  listProcesses,
  listStats,
  scaleProcess,
  setCurrentDroplet,
} from '../api/apps.ts';
import type { App } from '../api/resources.ts';
import { ClientError, isApiError } from '../client-error.ts';
import { type Context, enterSpace, type Scope } from '../context.ts';
import { appNameOf } from './app-name.ts';
import { define, globalsOf, type Run } from './command.ts';

type ScaleOptions = {
  readonly instances?: string;
  readonly mem?: string;
  readonly disk?: string;
  readonly process: string;
  readonly restart: boolean;
};

/** start, stop, restart, restage, scale, rename, delete. */
export function controlCommands(program: Command, run: Run): void {
  const simple = (verb: string, summary: string, action: (context: Context, scope: Scope, app: App) => Promise<void>) =>
    define(program, `${verb} [name]`, { summary, examples: [`${verb} demo`] }).action(
      (name: string | undefined, _options, command: Command) =>
        run(globalsOf(command), async (context) => {
          const scope = await enterSpace(context);
          await action(context, scope, await getApp(scope.api, scope.space, await appNameOf(context, name)));
        }),
    );
  simple('start', 'Start an app', (context, scope, app) => bringUp(context, scope, app, 'start'));
  simple('stop', 'Stop an app', stop);
  simple('restart', 'Stop an app and start it again', (context, scope, app) => bringUp(context, scope, app, 'restart'));
  simple('restage', 'Build an app again from the code it has, and restart it', restage);
  define(program, 'scale [name]', {
    summary: 'Change the instances, memory or disk of an app; or show them',
    examples: ['scale demo -i 3', 'scale demo -i +1', 'scale demo -m 512M -d 2G', 'scale demo --process worker -i 2'],
  })
    .option('-i, --instances <count>', 'how many, or +N or -N')
    .option('-m, --mem <size>', 'memory of each instance, such as 512M')
    .option('-d, --disk <size>', 'disk of each instance, such as 1G')
    .option('--process <type>', 'process to scale', 'web')
    .option('--no-restart', 'let new memory and disk limits wait for the next restart')
    .action((name: string | undefined, options: ScaleOptions, command: Command) =>
      run(globalsOf(command), (context) => scale(context, name, options)),
    );
  define(program, 'rename <name> <new-name>', { summary: 'Rename an app', examples: ['rename demo shop'] }).action(
    (name: string, next: string, _options, command: Command) =>
      run(globalsOf(command), async (context) => {
        const { api, space } = await enterSpace(context);
        const app = await getApp(api, space, name);
        await api.send('PATCH', `/v3/apps/${app.guid}`, { name: next });
        context.terminal.answer({ guid: app.guid, name: next }, () => context.terminal.say(`${name} is now ${next}`));
      }),
  );
  define(program, 'delete [name]', {
    summary: 'Delete an app, with the routes that lead to nothing else',
    examples: ['delete demo', 'delete demo -y', 'delete demo -y --keep-routes'],
  })
    .option('-y, --yes', 'do not ask')
    .option('--keep-routes', 'keep its routes')
    .action((name: string | undefined, options: { yes?: boolean; keepRoutes?: boolean }, command: Command) =>
      run(globalsOf(command), (context) => remove(context, name, options)),
    );
}

async function bringUp(context: Context, scope: Scope, app: App, action: 'start' | 'restart'): Promise<void> {
  const { terminal, clock, signal } = context;
  const isStarted = action === 'start' && app.state === 'STARTED';
  await using told = startTail(context, scope, app, /^(APP|CELL|HEALTH)/);
  await told.tail.ready;
  const sinceMs = clock.nowMs();
  const doing = `${action === 'start' ? 'Starting' : 'Restarting'} ${app.name}`;
  terminal.say(isStarted ? `${app.name} is started already` : doing);
  try {
    await actOnApp(scope.api, app, action);
  } catch (error) {
    if (!isApiError(error, { status: 422 }) || !error.message.includes('Assign a droplet')) throw error;
    throw new ClientError(`${app.name} was never staged`, { cause: error, next: `Push it: stackato push ${app.name}` });
  }
  await waitUntilRunning({ api: scope.api, terminal, clock, signal, sinceMs, ...told }, app);
  await showStates(context, scope, app);
}

async function showStates(context: Context, scope: Scope, app: App): Promise<void> {
  const processes = await listProcesses(scope.api, app);
  const rows = await Promise.all(
    processes.map(async ({ guid, type, instances }) => ({ type, instances, stats: await listStats(scope.api, guid) })),
  );
  context.terminal.answer({ name: app.name, state: 'STARTED', processes: rows }, () => {
    for (const { type, stats } of rows) {
      if (stats.length > 0) context.terminal.say(`${app.name} ${type}: ${describeStates(stats)}`);
    }
  });
}

async function stop({ terminal }: Context, { api }: Scope, app: App): Promise<void> {
  await actOnApp(api, app, 'stop');
  terminal.answer({ name: app.name, state: 'STOPPED' }, () => terminal.say(`${app.name} is stopped`));
}

async function restage(context: Context, scope: Scope, app: App): Promise<void> {
  const { terminal, clock, signal } = context;
  const { api } = scope;
  const bits = await findLatestPackage(api, app);
  if (!bits) throw new ClientError(`${app.name} has no code yet`, { next: `Push it: stackato push ${app.name}` });
  await refuseSecondPush(api, app, clock);
  await using told = startTail(context, scope, app, /^(STG|APP|CELL|HEALTH)/);
  await told.tail.ready;
  terminal.say(`Restaging ${app.name}`);
  const droplet = await stage({ api, terminal, clock, signal, ...told }, app, bits.guid);
  await setCurrentDroplet(api, app, droplet);
  const sinceMs = clock.nowMs();
  terminal.say('Staged; restarting');
  await actOnApp(api, app, 'restart');
  await waitUntilRunning({ api, terminal, clock, signal, sinceMs, ...told }, app);
  await showStates(context, scope, app);
}

async function scale(context: Context, given: string | undefined, options: ScaleOptions): Promise<void> {
  const { terminal } = context;
  const memory = sizeOf('--mem', options.mem);
  const disk = sizeOf('--disk', options.disk);
  const wanted = options.instances;
  if (wanted !== undefined && !/^[+-]?\d{1,6}$/.test(wanted)) {
    const most = /^[+-]?\d+$/.test(wanted) ? ' of at most six digits' : '';
    throw new ClientError(`--instances must be a number${most}, +N or -N, not '${wanted}'`, { exitCode: 2 });
  }
  const scope = await enterSpace(context);
  const { api } = scope;
  const app = await getApp(api, scope.space, await appNameOf(context, given));
  const process = (await listProcesses(api, app)).find(({ type }) => type === options.process);
  if (!process)
    throw new ClientError(`${app.name} has no process '${options.process}'`, { next: `stackato app ${app.name}` });
  const isRelative = wanted !== undefined && /^[+-]/.test(wanted);
  const instances = wanted === undefined ? process.instances : Number(wanted) + (isRelative ? process.instances : 0);
  if (instances < 0)
    throw new ClientError(`${app.name} has ${process.instances} instances, that is fewer than ${wanted?.slice(1)}`);
  const next = {
    type: process.type,
    instances,
    memory_in_mb: memory ?? process.memory_in_mb,
    disk_in_mb: disk ?? process.disk_in_mb,
  };
  const needsRestart = next.memory_in_mb !== process.memory_in_mb || next.disk_in_mb !== process.disk_in_mb;
  if (wanted !== undefined || memory !== undefined || disk !== undefined) {
    await scaleProcess(api, app, {
      type: process.type,
      ...(wanted === undefined ? {} : { instances }),
      ...(memory === undefined ? {} : { memory_in_mb: memory }),
      ...(disk === undefined ? {} : { disk_in_mb: disk }),
    });
  }
  const limits = `${instances} instance${instances === 1 ? '' : 's'} of ${formatMb(next.memory_in_mb)} memory, ${formatMb(next.disk_in_mb)} disk`;
  if (needsRestart && app.state === 'STARTED' && options.restart) {
    terminal.say(`${app.name} ${process.type}: ${limits}; restarting it, so that the limits take effect`);
    return bringUp(context, scope, app, 'restart');
  }
  terminal.answer({ name: app.name, ...next }, () => terminal.say(`${app.name} ${process.type}: ${limits}`));
}

function sizeOf(option: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const mb = parseSizeMb(/^\d+$/.test(text) ? `${text}M` : text);
  if (mb !== undefined) return mb;
  throw new ClientError(`${option} ${text} is not a size; write a number with M or G, such as 256M or 1G`, {
    exitCode: 2,
  });
}

async function remove(
  context: Context,
  given: string | undefined,
  options: { yes?: boolean; keepRoutes?: boolean },
): Promise<void> {
  const { terminal } = context;
  const { api, space, organization } = await enterSpace(context);
  const app = await getApp(api, space, await appNameOf(context, given));
  const question = `Delete ${app.name} in ${organization.name} / ${space.name}?`;
  if (!options.yes && !(await terminal.confirm(question, 'Say it in advance: --yes'))) {
    throw new ClientError('Nothing was deleted');
  }
  const routes = options.keepRoutes ? [] : await listAppRoutes(api, app);
  await api.sendAndWait('DELETE', `/v3/apps/${app.guid}`);
  const own = routes.filter(({ destinations }) => destinations.every((one) => one.app.guid === app.guid));
  for (const { guid } of own) {
    try {
      await api.sendAndWait('DELETE', `/v3/routes/${guid}`);
    } catch (error) {
      if (!isApiError(error, { status: 404 })) throw error;
    }
  }
  terminal.answer({ name: app.name, deleted: true, routes: own.map(({ url }) => url) }, () => {
    terminal.say(`${app.name} is deleted`);
    for (const { url } of own) terminal.say(`  and its route ${url}`);
  });
}
