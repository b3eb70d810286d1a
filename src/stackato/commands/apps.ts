import type { Command } from 'commander';
import { formatMb } from '../../contract/units.ts';
import { start } from '../../platform/exec.ts';
import { showSummary, summarize, urlOf } from '../actions/app-summary.ts';
import { getApp, listApps, listEvents, listRoutesOf, listSpaceProcesses } from '../api/apps.ts';
import { ClientError } from '../client-error.ts';
import { type Context, enterSpace } from '../context.ts';
import { appNameOf } from './app-name.ts';
import { define, globalsOf, type Run } from './command.ts';

/** apps, app, open, events. */
export function appCommands(program: Command, run: Run): void {
  define(program, 'apps', {
    summary: 'List the apps of the space',
    examples: ['apps', 'apps --json'],
    aliases: ['list'],
  }).action((_options, command: Command) => run(globalsOf(command), apps));
  define(program, 'app [name]', {
    summary: 'Show one app with its instances',
    examples: ['app demo'],
    aliases: ['stats', 'instances'],
  }).action((name: string | undefined, _options, command: Command) =>
    run(globalsOf(command), (context) => app(context, name)),
  );
  define(program, 'open [name]', {
    summary: 'Open an app in the browser, and print its url',
    examples: ['open demo', 'open demo --json'],
  }).action((name: string | undefined, _options, command: Command) =>
    run(globalsOf(command), (context) => openApp(context, name)),
  );
  define(program, 'events [name]', { summary: 'Show what happened to an app', examples: ['events demo'] })
    .option('--num <count>', 'how many', '50')
    .action((name: string | undefined, options: { num: string }, command: Command) =>
      run(globalsOf(command), (context) => events(context, name, options.num)),
    );
}

async function apps(context: Context): Promise<void> {
  const { terminal } = context;
  const { api, space, organization, target } = await enterSpace(context);
  const [all, processes] = await Promise.all([listApps(api, space), listSpaceProcesses(api, space)]);
  const routes = await listRoutesOf(
    api,
    all.map(({ guid }) => guid),
  );
  const rows = all.map((one) => {
    const own = processes.filter(({ relationships }) => relationships?.app?.data?.guid === one.guid);
    return {
      name: one.name,
      guid: one.guid,
      state: one.state,
      processes: own
        .filter(({ type, instances }) => type === 'web' || instances > 0)
        .map(({ type, instances, memory_in_mb, process_instances = [] }) => ({
          type,
          running: process_instances.filter(({ state }) => state === 'RUNNING').length,
          instances,
          memory_in_mb,
        })),
      urls: routes
        .filter(({ destinations }) => destinations.some((destination) => destination.app.guid === one.guid))
        .map(({ url }) => urlOf(target, url)),
    };
  });
  terminal.answer(rows, () => {
    if (rows.length === 0) {
      terminal.say(`No apps in ${organization.name} / ${space.name} yet; push one: stackato push`);
      return;
    }
    terminal.table(
      ['name', 'state', 'instances', 'memory', 'urls'],
      rows.map((row) => [
        row.name,
        row.state.toLowerCase(),
        row.processes.map(({ type, running, instances }) => `${type}:${running}/${instances}`).join(' '),
        row.processes[0] ? formatMb(row.processes[0].memory_in_mb) : '',
        row.urls.join(', '),
      ]),
    );
  });
}

async function app(context: Context, given: string | undefined): Promise<void> {
  const { api, space } = await enterSpace(context);
  const summary = await summarize(api, await getApp(api, space, await appNameOf(context, given)));
  context.terminal.answer(summary, () => showSummary(context.terminal, summary));
}

async function openApp(context: Context, given: string | undefined): Promise<void> {
  const { terminal } = context;
  const { api, space } = await enterSpace(context);
  const { name, urls } = await summarize(api, await getApp(api, space, await appNameOf(context, given)));
  const [url] = urls;
  if (url === undefined) {
    throw new ClientError(`${name} has no url`, { next: `Give it one: stackato map ${name} HOST.DOMAIN` });
  }
  if (terminal.canAsk) {
    const opener = process.platform === 'darwin' ? 'open' : 'xdg-open';
    const child = start([opener, url], { detached: true }, ['ignore', 'ignore', 'ignore']);
    child.on('error', () => terminal.note(`No browser could be started (${opener} is missing)`));
    child.unref();
  }
  terminal.answer({ url }, () => terminal.say(url));
}

async function events(context: Context, given: string | undefined, num: string): Promise<void> {
  const { terminal } = context;
  const count = Number(num);
  if (!Number.isSafeInteger(count) || count < 1)
    throw new ClientError(`--num must be a number, not '${num}'`, { exitCode: 2 });
  const { api, space } = await enterSpace(context);
  const found = await getApp(api, space, await appNameOf(context, given));
  const { resources } = await listEvents(api, found, count);
  const rows = resources.map(({ created_at, type, actor, data }) => ({
    at: created_at,
    type,
    actor: actor.name ?? '',
    data,
  }));
  terminal.answer(rows, () =>
    terminal.table(
      ['time', 'event', 'by', 'details'],
      rows.map((row) => [row.at, row.type, row.actor, detailsOf(row.data)]),
    ),
  );
}

function detailsOf(data: unknown): string {
  if (typeof data !== 'object' || data === null) return '';
  const fields = data as Record<string, unknown>;
  const said = fields.exit_description ?? fields.reason ?? fields.request;
  if (said === undefined) return '';
  return typeof said === 'string' ? said : JSON.stringify(said).slice(0, 120);
}
