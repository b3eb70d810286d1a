import { text } from 'node:stream/consumers';
import type { Command } from 'commander';
import { apiVersion, platformVersion } from '../../contract/version.ts';
import { ApiClient } from '../api/api-client.ts';
import { findOrganization, findSpace, listOrganizations, listSpaces } from '../api/spaces.ts';
import { ClientError } from '../client-error.ts';
import type { Named } from '../config-store.ts';
import { type Connection, type Context, chosenTarget, connect, openTransport } from '../context.ts';
import { claimsOf, LoginRefused, LoginSession, logIn, promptsOf, revoke } from '../login-session.ts';
import { discover } from '../target.ts';
import { define, globalsOf, type Run } from './command.ts';

const ATTEMPTS = 3;

/** target, targets, login, logout, user, token, info, version. */
export function sessionCommands(program: Command, run: Run): void {
  define(program, 'target [url]', {
    summary: 'Choose the platform, organization and space to work with; or show them',
    examples: ['target api.stackato.localhost', 'target -o acme --space dev', 'target'],
  }).action((url: string | undefined, _options, command: Command) =>
    run(globalsOf(command), (context) => target(context, url)),
  );
  define(program, 'targets', { summary: 'List the platforms used so far', examples: ['targets'] }).action(
    (_options, command: Command) => run(globalsOf(command), targets),
  );
  define(program, 'login [email]', {
    summary: 'Log in',
    examples: ['login ann@example.com', 'login ann@example.com --password-stdin < password.txt'],
  })
    .option('--password <password>', 'password; better: --password-stdin, or STACKATO_PASSWORD')
    .option('--password-stdin', 'read the password from standard input')
    .action((email: string | undefined, options: LoginOptions, command: Command) =>
      run(globalsOf(command), (context) => login(context, email, options)),
    );
  define(program, 'logout', { summary: 'Log out', examples: ['logout'] }).action((_options, command: Command) =>
    run(globalsOf(command), logout),
  );
  define(program, 'user', { summary: 'Show who is logged in', examples: ['user'], aliases: ['whoami'] }).action(
    (_options, command: Command) => run(globalsOf(command), user),
  );
  define(program, 'token', { summary: 'Print a bearer token', examples: ['token'] }).action(
    (_options, command: Command) => run(globalsOf(command), token),
  );
  define(program, 'info', { summary: 'Show what the platform is', examples: ['info'] }).action(
    (_options, command: Command) => run(globalsOf(command), info),
  );
  define(program, 'version', { summary: 'Print the version of this command', examples: ['version'] }).action(
    (_options, command: Command) =>
      run(globalsOf(command), async ({ terminal }) => {
        terminal.answer({ version: platformVersion, api: apiVersion }, () =>
          terminal.say(`stackato ${platformVersion}`),
        );
      }),
  );
}

type LoginOptions = { readonly password?: string; readonly passwordStdin?: boolean };

async function target(context: Context, url: string | undefined): Promise<void> {
  const { store, settings } = context;
  if (url !== undefined) {
    using transport = openTransport(context);
    const { target: found, entry } = await discover(url, transport, context);
    await store.change((config) => {
      const { skipSslValidation, ca } = settings;
      const before = config.targets[found];
      config.targets[found] = {
        ...before,
        ...entry,
        skipSslValidation: skipSslValidation ?? before?.skipSslValidation ?? false,
        ...(ca === undefined ? {} : { ca }),
      };
      config.target = found;
    });
  }
  if (settings.organization !== undefined || settings.space !== undefined) {
    await chooseSpace(
      context,
      await connect({ ...context, settings: url === undefined ? settings : { ...settings, target: url } }),
    );
  }
  await showTarget(context);
}

async function showTarget({ terminal, store, settings, ...context }: Context): Promise<void> {
  const { target: chosen, entry } = await chosenTarget({ terminal, store, settings, ...context });
  const { user: name, organization, space } = entry;
  terminal.answer({ target: chosen, user: name, organization: organization?.name, space: space?.name }, () => {
    terminal.say(`target:        ${chosen}`);
    terminal.say(`user:          ${name ?? 'not logged in; run: stackato login EMAIL'}`);
    terminal.say(`organization:  ${organization?.name ?? 'none chosen'}`);
    terminal.say(`space:         ${space?.name ?? 'none chosen'}`);
  });
}

async function targets({ terminal, store }: Context): Promise<void> {
  const config = await store.read();
  const rows = Object.entries(config.targets).map(([url, entry]) => ({
    target: url,
    current: url === config.target,
    user: entry.user,
  }));
  terminal.answer(rows, () =>
    terminal.table(
      ['', 'target', 'user'],
      rows.map((row) => [row.current ? '*' : '', row.target, row.user ?? '']),
    ),
  );
}

async function login(context: Context, email: string | undefined, options: LoginOptions): Promise<void> {
  const { terminal, store, variable } = context;
  const { target: chosen, entry, transport } = await chosenTarget(context);
  await promptsOf(transport, entry.login);
  const userName =
    email ?? variable('USERNAME') ?? entry.user ?? (await terminal.ask('Email', 'Give it: stackato login EMAIL'));
  const given = options.passwordStdin
    ? (await text(terminal.stdin)).replace(/\r?\n$/, '')
    : (options.password ?? variable('PASSWORD'));
  terminal.say(`Logging in to ${chosen} as ${userName}`);
  for (let attempt = 1; ; attempt++) {
    const hint = 'Give it by --password-stdin or STACKATO_PASSWORD';
    const password = given ?? (await terminal.askSecret('Password', hint));
    try {
      const tokens = await logIn(transport, entry.login, { username: userName, password });
      await store.change((config) => {
        const before = config.targets[chosen] ?? entry;
        const { accessToken, refreshToken } = tokens;
        const isSame = before.user === userName;
        const { organization: _organization, space: _space, ...rest } = before;
        const kept = isSame ? before : rest;
        config.targets[chosen] = {
          ...kept,
          user: userName,
          accessToken,
          ...(refreshToken === undefined ? {} : { refreshToken }),
        };
        config.target = chosen;
      });
      break;
    } catch (error) {
      const isAgain = error instanceof LoginRefused && given === undefined && attempt < ATTEMPTS;
      if (!isAgain || error.message.startsWith('Your account has been locked')) throw error;
      terminal.note(error.message);
    }
  }
  await chooseSpace(context, await connect({ ...context, settings: { ...context.settings, target: chosen } }));
  await showTarget({ ...context, settings: { ...context.settings, target: chosen } });
}

/** Remembers the organization and space: as named, the only ones, or as the user chooses. */
async function chooseSpace(context: Context, connection: Connection): Promise<void> {
  const { api, target: chosen, entry } = connection;
  const { settings, store } = context;
  const organization =
    settings.organization === undefined
      ? await pick(context, 'Organization', await listOrganizations(api), entry.organization)
      : await findOrganization(api, settings.organization);
  const keeps = entry.organization?.guid === organization?.guid ? entry.space : undefined;
  const space = !organization
    ? undefined
    : settings.space === undefined
      ? await pick(context, 'Space', await listSpaces(api, organization.guid), keeps)
      : await findSpace(api, organization, settings.space);
  await store.change((config) => {
    const { organization: _organization, space: _space, ...kept } = config.targets[chosen] ?? entry;
    config.targets[chosen] = { ...kept, ...(organization ? { organization } : {}), ...(space ? { space } : {}) };
  });
}

async function pick(
  { terminal }: Context,
  what: string,
  choices: readonly Named[],
  before: Named | undefined,
): Promise<Named | undefined> {
  const known = choices.find(({ guid }) => guid === before?.guid);
  if (known) return known;
  if (choices.length <= 1 || !terminal.canAsk) return choices.length === 1 ? choices[0] : undefined;
  const options = choices.slice(0, 50).map(({ guid, name }) => ({ value: guid, label: name }));
  const guid = await terminal.choose(what, options, `Name it: stackato target --${what.toLowerCase()} NAME`);
  return choices.find((choice) => choice.guid === guid);
}

async function logout(context: Context): Promise<void> {
  const { store, terminal } = context;
  const { target: chosen, entry, transport } = await chosenTarget(context);
  if (entry.accessToken !== undefined) {
    try {
      await revoke(transport, entry.login, entry.accessToken);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      terminal.note(`The server was not told: ${error.message}`);
    }
  }
  await store.change((config) => {
    const before = config.targets[chosen];
    if (!before) return;
    const { accessToken: _access, refreshToken: _refresh, user: _user, organization: _o, space: _s, ...kept } = before;
    config.targets[chosen] = kept;
  });
  terminal.answer({ target: chosen, user: null }, () => terminal.say(`Logged out of ${chosen}`));
}

async function bearerOf(context: Context): Promise<string> {
  const { target: chosen, entry, transport } = await connect(context);
  const { store, clock, settings } = context;
  return new LoginSession({ target: chosen, entry, store, transport, clock, token: settings.token }).token();
}

async function user(context: Context): Promise<void> {
  const claims = claimsOf(await bearerOf(context));
  const answer = { user: claims.user_name, guid: claims.user_id, scopes: claims.scope };
  context.terminal.answer(answer, () => context.terminal.say(String(claims.user_name ?? claims.client_id)));
}

async function token(context: Context): Promise<void> {
  const bearer = `bearer ${await bearerOf(context)}`;
  context.terminal.answer({ token: bearer }, () => context.terminal.say(bearer));
}

async function info(context: Context): Promise<void> {
  const { terminal, store, clock, signal } = context;
  const { target: chosen, entry, transport } = await chosenTarget(context);
  const { version } = await discover(chosen, transport, context);
  const tokens = new LoginSession({ target: chosen, entry, store, transport, clock, token: undefined });
  const api = new ApiClient({ transport, tokens, target: chosen, clock, signal, warn: (line) => terminal.note(line) });
  const reply = await transport.send({ url: `${api.target}/v3/info`, headers: { accept: 'application/json' }, signal });
  const about = reply.status === 200 ? (JSON.parse(reply.text) as Record<string, unknown>) : {};
  const { name, build, description } = about;
  terminal.answer({ target: chosen, api: version, name, build, description, client: platformVersion }, () => {
    terminal.say(`${name ?? 'platform'} at ${chosen}`);
    if (description) terminal.say(String(description));
    terminal.say(`API ${version}${build ? `, version ${build}` : ''}; this command ${platformVersion}`);
    terminal.say(entry.user === undefined ? 'not logged in' : `logged in as ${entry.user}`);
  });
}
