import type { Command } from 'commander';
import { decode } from '../../contract/decode.ts';
import { RoutesRepaired } from '../../contract/routes-repair.ts';
import { callSigned } from '../api-client.ts';
import { openNode } from '../node.ts';
import { Refusal } from '../refusal.ts';
import { describe, terminalOf } from './command.ts';

const TIMEOUT_MS = 300_000;

/** `kato data repair routes`. */
export function repairCommand(group: Command): void {
  group
    .command('repair')
    .summary('puts data right that has come apart')
    .description(describe('Puts data right that has come apart.', 'kato data repair routes'))
    .command('routes')
    .summary('tells every running instance its routes again')
    .description(
      describe(
        'Tells every running instance its routes again, so that routers and database agree, and names routes that are never served because their host is the platform’s own. On a node with the controller role.',
        'kato data repair routes',
      ),
    )
    .action(async (_options: unknown, command: Command) => {
      const node = await openNode();
      const call = {
        port: node.config.controller.port,
        path: '/internal/v1/routes_repair',
        body: {},
        timeoutMs: TIMEOUT_MS,
      };
      const answer = await callSigned(node, call).catch((cause: Error) => {
        throw new Refusal(`the controller does not answer: ${cause.message}`, 'run `kato start` first', { cause });
      });
      if (answer.status !== 200) {
        throw new Refusal(`the controller answered ${answer.status}`, `read ${node.paths.log}/controller.log`);
      }
      const done = decode(RoutesRepaired, JSON.parse(answer.body), 'answer of the controller');
      const lines = done.reserved.map(
        (url) => `${url} is the platform's own: delete that route, its app gets no request`,
      );
      terminalOf(command).result([`told ${done.apps} apps their routes`, ...lines].join('\n'), done);
    });
}
