import type { Command } from 'commander';
import {
  createOrganization,
  createSpace,
  findOrganization,
  listDomains,
  listOrganizations,
  listSpaces,
} from '../api/spaces.ts';
import { ClientError } from '../client-error.ts';
import type { Named } from '../config-store.ts';
import { type Connection, type Context, connect } from '../context.ts';
import { define, globalsOf, type Run } from './command.ts';

/** orgs, spaces, domains, create-org, create-space. */
export function spaceCommands(program: Command, run: Run): void {
  define(program, 'orgs', { summary: 'List the organizations', examples: ['orgs'] }).action(
    (_options, command: Command) =>
      run(globalsOf(command), async (context) =>
        showNames(context, await listOrganizations((await connect(context)).api)),
      ),
  );
  define(program, 'spaces', {
    summary: 'List the spaces of the organization',
    examples: ['spaces', 'spaces -o acme'],
  }).action((_options, command: Command) =>
    run(globalsOf(command), async (context) => {
      const connection = await connect(context);
      const organization = await organizationOf(context, connection);
      showNames(context, await listSpaces(connection.api, organization.guid));
    }),
  );
  define(program, 'domains', { summary: 'List the domains of the organization', examples: ['domains'] }).action(
    (_options, command: Command) =>
      run(globalsOf(command), async (context) => {
        const connection = await connect(context);
        showNames(context, await listDomains(connection.api, await organizationOf(context, connection)));
      }),
  );
  define(program, 'create-org <name>', { summary: 'Make an organization', examples: ['create-org acme'] }).action(
    (name: string, _options, command: Command) =>
      run(globalsOf(command), async (context) => {
        const made = await createOrganization((await connect(context)).api, name);
        context.terminal.answer(made, () =>
          context.terminal.say(`Made organization ${name}; use it: stackato target -o ${name}`),
        );
      }),
  );
  define(program, 'create-space <name>', {
    summary: 'Make a space in the organization',
    examples: ['create-space dev', 'create-space dev -o acme'],
  }).action((name: string, _options, command: Command) =>
    run(globalsOf(command), async (context) => {
      const connection = await connect(context);
      const made = await createSpace(connection.api, await organizationOf(context, connection), name);
      context.terminal.answer(made, () =>
        context.terminal.say(`Made space ${name}; use it: stackato target --space ${name}`),
      );
    }),
  );
}

async function organizationOf({ settings }: Context, { api, entry }: Connection): Promise<Named> {
  if (settings.organization !== undefined) return findOrganization(api, settings.organization);
  if (entry.organization) return entry.organization;
  throw new ClientError('No organization is chosen', {
    next: 'Choose one: stackato target -o NAME; see them: stackato orgs',
  });
}

function showNames({ terminal }: Context, rows: readonly Named[]): void {
  terminal.answer(rows, () => {
    for (const { name } of rows) terminal.say(name);
  });
}
