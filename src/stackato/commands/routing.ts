import type { Command } from 'commander';
import { urlOf } from '../actions/app-summary.ts';
import { mapRoute, unmapRoute } from '../actions/route-mapping.ts';
import { getApp } from '../api/apps.ts';
import { enterSpace } from '../context.ts';
import { define, globalsOf, type Run } from './command.ts';

/** map, unmap. */
export function routingCommands(program: Command, run: Run): void {
  define(program, 'map <name> <url>', {
    summary: 'Lead a url to an app',
    examples: ['map demo shop.stackato.localhost', 'map demo shop.stackato.localhost/cart'],
  }).action((name: string, url: string, _options, command: Command) =>
    run(globalsOf(command), async (context) => {
      const scope = await enterSpace(context);
      const route = await mapRoute(scope, await getApp(scope.api, scope.space, name), url);
      const full = urlOf(scope.target, route.url);
      context.terminal.answer({ name, url: full }, () => context.terminal.say(`${full} leads to ${name}`));
    }),
  );
  define(program, 'unmap <name> <url>', {
    summary: 'Take a url away from an app',
    examples: ['unmap demo shop.stackato.localhost'],
  }).action((name: string, url: string, _options, command: Command) =>
    run(globalsOf(command), async (context) => {
      const scope = await enterSpace(context);
      const route = await unmapRoute(scope, await getApp(scope.api, scope.space, name), url);
      const full = urlOf(scope.target, route.url);
      context.terminal.answer({ name, url: full }, () => context.terminal.say(`${full} no longer leads to ${name}`));
    }),
  );
}
