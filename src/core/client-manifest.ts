import { appKeys, inertKeys, type KeyRule, processKeys, refusedKeys } from './client-manifest-keys.ts';
import { describe, type Fault, type Tree, type TreeEntry } from './client-manifest-tree.ts';
import { closest } from './spelling.ts';

/** One application as its manifest describes it. */
export type AppSpec = {
  readonly name?: string;
  /** Folder or archive with its code, relative to the manifest. */
  readonly path?: string;
  readonly routes: readonly string[];
  readonly domain?: string;
  readonly host?: string;
  readonly framework?: string;
  readonly ignores: readonly string[];
  /** Keys for the server, by the server's names; `env` values are text. */
  readonly manifest: Readonly<Record<string, unknown>>;
};

/** A manifest read: its applications, or everything that is wrong with it; notes are for the user either way. */
export type ManifestReading = {
  readonly apps: readonly AppSpec[];
  readonly faults: readonly Fault[];
  readonly notes: readonly string[];
};

type Draft = { client: Record<string, unknown>; manifest: Record<string, unknown>; env: Record<string, string> };
type Report = {
  readonly faults: Fault[];
  readonly notes: string[];
  readonly inherited: (name: string) => string | undefined;
};

/**
 * Reads a `manifest.yml` or `stackato.yml` in any of its forms: a list under `applications`, the 2.x map of them by folder,
 * or one application at the top; a `stackato` group adds to an application.
 *
 * @param inherited the user's own environment, for variables that say `inherit`
 */
export function readClientManifest(
  tree: Tree,
  inherited: (name: string) => string | undefined = () => undefined,
): ManifestReading {
  const report: Report = { faults: [], notes: [], inherited };
  const apps = readApplications(tree, report);
  return { apps: report.faults.length > 0 ? [] : apps, faults: report.faults, notes: report.notes };
}

function readApplications(tree: Tree, report: Report): AppSpec[] {
  if (tree.kind !== 'map') {
    fault(report, tree, 'applications', `the file must hold keys, not ${describe(tree)}`);
    return [];
  }
  const applications = tree.entries.find(({ key }) => key === 'applications')?.value;
  const shared = tree.entries.filter(({ key }) => !/^(applications|version|defaults|x-.*)$/.test(key));
  if (!applications) return [toSpec(readApp(shared, report))];
  const defaults = readApp(shared, report);
  return itemsOf(applications, report).map(({ folder, entries }) => {
    const own = readApp(entries, report);
    if (folder !== undefined && folder !== '.') own.client.path ??= folder;
    return toSpec({
      client: { ...defaults.client, ...own.client },
      manifest: { ...defaults.manifest, ...own.manifest },
      env: { ...defaults.env, ...own.env },
    });
  });
}

function itemsOf(tree: Tree, report: Report): { folder?: string; entries: readonly TreeEntry[] }[] {
  if (tree.kind === 'map') {
    return tree.entries.flatMap(({ key, value }) =>
      value.kind === 'map' ? [{ folder: key, entries: value.entries }] : notAnApp(value, report),
    );
  }
  if (tree.kind !== 'list' || tree.items.length === 0) {
    fault(
      report,
      tree,
      'applications',
      `must be a list of applications, not ${tree.kind === 'list' ? 'an empty list' : describe(tree)}`,
    );
    return [];
  }
  return tree.items.flatMap((item) => (item.kind === 'map' ? [{ entries: item.entries }] : notAnApp(item, report)));
}

function notAnApp(tree: Tree, report: Report): [] {
  fault(report, tree, 'applications', `an application must be a group of keys, not ${describe(tree)}`);
  return [];
}

function readApp(entries: readonly TreeEntry[], report: Report): Draft {
  const draft: Draft = { client: {}, manifest: {}, env: {} };
  const nested: TreeEntry[] = [];
  for (const entry of entries) {
    const key = entry.key.replaceAll('_', '-');
    if (key === 'stackato') nested.push(entry);
    else if (key === 'env') draft.env = readEnv(entry.value, report);
    else if (key === 'processes') readProcesses(entry, draft, report);
    else readKey(entry, key, draft, report);
  }
  for (const { value, line } of nested) {
    if (value.kind !== 'map') fault(report, { line }, 'stackato', `must be a group of keys, not ${describe(value)}`);
    else {
      const more = readApp(value.entries, report);
      Object.assign(draft.client, more.client);
      Object.assign(draft.manifest, more.manifest);
      Object.assign(draft.env, more.env);
    }
  }
  return draft;
}

function readKey(entry: TreeEntry, key: string, draft: Draft, report: Report): void {
  const rule: KeyRule | undefined = Object.hasOwn(appKeys, key) ? appKeys[key] : undefined;
  if (rule) {
    readValue(entry, rule, rule.isClient ? draft.client : draft.manifest, report);
    return;
  }
  if (inertKeys.includes(key)) {
    report.notes.push(`line ${entry.line}: '${entry.key}' is not supported yet and has no effect`);
    return;
  }
  const refused = Object.hasOwn(refusedKeys, key) ? refusedKeys[key] : undefined;
  fault(report, entry, entry.key, refused ?? unknown(key, [...Object.keys(appKeys), 'env', 'processes', ...inertKeys]));
}

function readValue(entry: TreeEntry, rule: KeyRule, target: Record<string, unknown>, report: Report): void {
  const reading = rule.read(entry.value);
  if ('fault' in reading) fault(report, { line: reading.line ?? entry.line }, entry.key, reading.fault);
  else if (rule.as === 'routes')
    target.routes = [...((target.routes as string[] | undefined) ?? []), ...(reading.value as string[])];
  else if (reading.value !== undefined) target[rule.as] = reading.value;
}

/** A list of processes, or the 3.x form `web: command`. */
function readProcesses(entry: TreeEntry, draft: Draft, report: Report): void {
  const { value } = entry;
  if (value.kind === 'map') {
    const commands = value.entries.map(
      ({ key, value: command }) => [key, command.kind === 'scalar' ? command.text : ''] as const,
    );
    const others = commands.filter(([type]) => type !== 'web').map(([type, command]) => ({ type, command }));
    const web = commands.find(([type]) => type === 'web');
    if (web) draft.manifest.command ??= web[1];
    if (others.length > 0) draft.manifest.processes = others;
    return;
  }
  if (value.kind !== 'list') fault(report, entry, 'processes', `must be a list, not ${describe(value)}`);
  else draft.manifest.processes = value.items.map((item) => readProcess(item, report));
}

function readProcess(item: Tree, report: Report): Record<string, unknown> {
  const process: Record<string, unknown> = {};
  if (item.kind !== 'map') {
    fault(report, item, 'processes', `a process must be a group of keys, not ${describe(item)}`);
    return process;
  }
  for (const entry of item.entries) {
    const key = entry.key.replaceAll('_', '-');
    const rule: KeyRule | undefined = Object.hasOwn(processKeys, key) ? processKeys[key] : undefined;
    if (key === 'type' && entry.value.kind === 'scalar') process.type = entry.value.text;
    else if (rule) readValue(entry, rule, process, report);
    else fault(report, entry, entry.key, unknown(key, ['type', ...Object.keys(processKeys)]));
  }
  if (process.type === undefined) fault(report, item, 'type', 'a process needs a type, such as web or worker');
  return process;
}

function readEnv(tree: Tree, report: Report): Record<string, string> {
  const env: Record<string, string> = {};
  if (tree.kind === 'scalar' && tree.value === null) return env;
  if (tree.kind !== 'map') {
    fault(report, tree, 'env', `must be a group of NAME: value, not ${describe(tree)}`);
    return env;
  }
  for (const { key, line, value } of tree.entries) {
    const text =
      value.kind === 'map' ? conditional(key, value, report) : value.kind === 'scalar' ? value.text : undefined;
    if (value.kind === 'list') fault(report, { line }, key, 'must be a text; quote lists and objects as JSON text');
    else if (text !== undefined) env[key] = text;
  }
  return env;
}

/** `NAME: {default, required, inherit}` of a `stackato.yml`. */
function conditional(name: string, tree: Extract<Tree, { kind: 'map' }>, report: Report): string | undefined {
  const field = (key: string) => {
    const value = tree.entries.find((entry) => entry.key === key)?.value;
    return value?.kind === 'scalar' && value.value !== null ? value.text : undefined;
  };
  const known = ['default', 'required', 'inherit', 'prompt', 'choices', 'hidden'];
  for (const entry of tree.entries) {
    if (!known.includes(entry.key)) fault(report, entry, `${name}.${entry.key}`, unknown(entry.key, known));
  }
  const given = (field('inherit') === 'true' ? report.inherited(name) : undefined) ?? field('default');
  if (given === undefined && field('required') === 'true') {
    fault(report, tree, name, `is required and has no value; give it with --env ${name}=…`);
  }
  return given;
}

function toSpec({ client, manifest, env }: Draft): AppSpec {
  const { routes = [], ignores = [], ...rest } = client as Partial<AppSpec>;
  const { description: _description, minVersion: _minVersion, ...known } = rest as Record<string, unknown>;
  return { ...known, routes, ignores, manifest: Object.keys(env).length > 0 ? { ...manifest, env } : manifest };
}

function unknown(key: string, known: readonly string[]): string {
  const meant = closest(key, known);
  return `is not a key that is known here${meant === undefined ? '' : `; did you mean '${meant}'?`}`;
}

function fault(report: Report, at: { readonly line: number }, key: string, message: string): void {
  report.faults.push({ line: at.line, key, message });
}
