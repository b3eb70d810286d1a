import type { Clock } from '../platform/clock.ts';
import { ApiClient } from './api/api-client.ts';
import { findOrganization, findSpace, listOrganizations, listSpaces } from './api/spaces.ts';
import { Transport } from './api/transport.ts';
import { ClientError } from './client-error.ts';
import type { ConfigStore, Named, TargetEntry } from './config-store.ts';
import { LoginSession } from './login-session.ts';
import type { Settings } from './settings.ts';
import { discover, normalizedTarget } from './target.ts';
import type { Terminal } from './terminal.ts';

/** What every command gets. */
export type Context = {
  readonly terminal: Terminal;
  readonly settings: Settings;
  readonly store: ConfigStore;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Folder the command was called in. */
  readonly folder: string;
  /** PEM file of the cluster on this machine; trusted when it can be read. */
  readonly clusterCaFile: string;
  /** A variable of the user's environment. */
  readonly variable: (name: string) => string | undefined;
};

/** A target with someone logged in to it. */
export type Connection = {
  readonly api: ApiClient;
  readonly transport: Transport;
  readonly target: string;
  readonly entry: TargetEntry;
};
/** A connection and the space that commands act in. */
export type Scope = Connection & { readonly organization: Named; readonly space: Named };

export function openTransport(context: Context, entry?: Pick<TargetEntry, 'ca' | 'skipSslValidation'>): Transport {
  const { settings, clusterCaFile } = context;
  const ca = settings.ca ?? entry?.ca;
  return new Transport({
    skipSslValidation: settings.skipSslValidation ?? entry?.skipSslValidation ?? false,
    caFiles: [
      { path: clusterCaFile, isOptional: true },
      ...(ca === undefined ? [] : [{ path: ca, isOptional: false }]),
    ],
  });
}

/** The chosen target and what is remembered of it; one named for this call only is asked for its links. */
export async function chosenTarget(
  context: Context,
): Promise<{ target: string; entry: TargetEntry; transport: Transport }> {
  const config = await context.store.read();
  const wanted = context.settings.target;
  const known = wanted === undefined ? config.target : normalizedTarget(wanted, Object.keys(config.targets));
  const entry = known === undefined ? undefined : config.targets[known];
  if (known !== undefined && entry) return { target: known, entry, transport: openTransport(context, entry) };
  if (wanted === undefined) {
    throw new ClientError('No target is chosen', {
      next: 'Choose one, for example: stackato target api.stackato.localhost',
    });
  }
  const transport = openTransport(context);
  const found = await discover(wanted, transport, context);
  return { target: found.target, entry: found.entry, transport };
}

/** @throws ClientError when no one is logged in */
export async function connect(context: Context): Promise<Connection> {
  const { target, entry, transport } = await chosenTarget(context);
  const { settings, store, clock, signal, terminal } = context;
  if (settings.token === undefined && entry.refreshToken === undefined && entry.accessToken === undefined) {
    throw new ClientError(`Not logged in to ${target}`, { next: 'stackato login EMAIL' });
  }
  const tokens = new LoginSession({ target, entry, store, transport, clock, token: settings.token });
  const warn = (line: string) => terminal.note(terminal.paint(`warning: ${line}`, 'yellow'));
  return { api: new ApiClient({ transport, tokens, target, clock, signal, warn }), transport, target, entry };
}

/** The connection and the chosen space; a single one chooses itself. */
export async function enterSpace(context: Context): Promise<Scope> {
  const connection = await connect(context);
  const { settings } = context;
  const { api, entry } = connection;
  const organization = await organizationOf(api, settings, entry);
  if (settings.space === undefined && entry.space && entry.organization?.guid === organization.guid) {
    return { ...connection, organization, space: entry.space };
  }
  if (settings.space !== undefined) {
    return { ...connection, organization, space: await findSpace(api, organization, settings.space) };
  }
  const [space, ...others] = await listSpaces(api, organization.guid);
  if (!space || others.length > 0) {
    throw new ClientError(space ? 'No space is chosen' : `There is no space in organization ${organization.name}`, {
      next: space
        ? `Choose one of ${[space, ...others].map(({ name }) => name).join(', ')}: stackato target --space NAME`
        : 'Make one: stackato create-space NAME',
    });
  }
  return { ...connection, organization, space };
}

async function organizationOf(api: ApiClient, settings: Settings, entry: TargetEntry): Promise<Named> {
  if (settings.organization !== undefined) return findOrganization(api, settings.organization);
  if (entry.organization) return entry.organization;
  const [organization, ...others] = await listOrganizations(api);
  if (organization && others.length === 0) return organization;
  throw new ClientError(organization ? 'No organization is chosen' : 'You are in no organization', {
    next: organization
      ? `Choose one of ${[organization, ...others].map(({ name }) => name).join(', ')}: stackato target -o NAME`
      : 'Ask an administrator to add you to one',
  });
}
