import type { AppSpec } from './client-manifest.ts';
import { type Detection, type Framework, frameworkNamed, isBuiltInBuildpack, otherMemoryMb } from './framework.ts';

/** What the command line says about one app; it wins over the manifest. */
export type PushFlags = {
  readonly name?: string;
  /** Keys for the server by the server's names, such as `memory`. */
  readonly manifest: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string>>;
  readonly routes: readonly string[];
  readonly domain?: string;
  readonly framework?: string;
};

/** What is known of the folder and of the server when the plan is made. */
export type PushFacts = {
  readonly detection: Detection;
  /** Undefined when the server was not asked. */
  readonly isNew: boolean | undefined;
  /** Names of the server's enabled buildpacks; undefined when it was not asked. */
  readonly serverBuildpacks: readonly string[] | undefined;
  /** Name of the app's folder, for an app that has no name otherwise. */
  readonly folderName: string;
  /** Values of `${name}` in routes and names, such as `target-base`. */
  readonly substitutions: Readonly<Record<string, string>>;
};

export type Decision = { readonly what: string; readonly because: string };

/** What a push will do with one app. */
export type PushPlan = {
  readonly name: string;
  /** One application of the server's manifest. */
  readonly manifest: Readonly<Record<string, unknown>>;
  readonly framework: Framework | undefined;
  readonly decisions: readonly Decision[];
};

/** Why an app is not pushed, and what to do. */
export type PushRefusal = { readonly refusal: string; readonly lookedFor?: readonly string[]; readonly next: string };

/** Decides what to do with one app. */
export function planPush(spec: AppSpec, flags: PushFlags, facts: PushFacts): PushPlan | PushRefusal {
  const decisions: Decision[] = [];
  const name = nameOf(spec, flags, facts, decisions);
  if ('refusal' in name) return name;
  const manifest: Record<string, unknown> = { name: name.value, ...spec.manifest, ...flags.manifest };
  const env = { ...(spec.manifest.env as Record<string, string> | undefined), ...flags.env };
  if (Object.keys(env).length > 0) manifest.env = env;
  const framework = frameworkOf(spec, flags, { facts, manifest, decisions });
  if (framework && 'refusal' in framework) return framework;
  const routed = addRoutes(manifest, { spec, flags, facts, name: name.value });
  if (routed) return routed;
  if (facts.isNew === true && manifest.memory === undefined && !hasOwnWeb(manifest)) {
    const memoryMb = framework?.defaultMemoryMb ?? otherMemoryMb;
    manifest.memory = `${memoryMb}M`;
    decisions.push({
      what: `memory ${memoryMb}M`,
      because: `default for ${framework?.name ?? 'new apps'}; --mem changes it`,
    });
  }
  return { name: name.value, manifest, framework, decisions };
}

function nameOf(
  spec: AppSpec,
  flags: PushFlags,
  facts: PushFacts,
  decisions: Decision[],
): { value: string } | PushRefusal {
  const given = flags.name ?? spec.name;
  if (given !== undefined) return filled(given, facts.substitutions);
  const value = facts.folderName
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .replace(/^-+|-+$/g, '');
  if (value === '') return { refusal: 'The app has no name', next: 'Name it: stackato push NAME' };
  decisions.push({ what: `name ${value}`, because: 'name of the folder' });
  return { value };
}

function frameworkOf(
  spec: AppSpec,
  flags: PushFlags,
  context: { facts: PushFacts; manifest: Record<string, unknown>; decisions: Decision[] },
): Framework | PushRefusal | undefined {
  const { facts, manifest, decisions } = context;
  const buildpacks = Array.isArray(manifest.buildpacks) ? manifest.buildpacks.map(String) : [];
  if (buildpacks.length > 0) {
    decisions.push({ what: `buildpack ${buildpacks.join(', ')}`, because: 'as asked' });
    return frameworkNamed(buildpacks.at(-1) ?? '');
  }
  const wanted = flags.framework ?? spec.framework;
  if (wanted !== undefined) {
    const named = frameworkNamed(wanted);
    if (!named) {
      return {
        refusal: `There is no framework called '${wanted}'`,
        next: 'Use one of: java, ruby, python, go, php, nodejs, static, binary',
      };
    }
    manifest.buildpacks = [named.buildpack];
    decisions.push({ what: `buildpack ${named.buildpack}`, because: `framework '${wanted}'` });
    return named;
  }
  const { detection, serverBuildpacks } = facts;
  if (detection.found) return detected(detection, context);
  if (typeof manifest.command === 'string') {
    if (serverBuildpacks?.includes('binary_buildpack') !== false) manifest.buildpacks = ['binary_buildpack'];
    decisions.push({ what: 'binary', because: `a start command is given: \`${manifest.command}\`` });
    return frameworkNamed('binary');
  }
  if (serverBuildpacks?.some((name) => !isBuiltInBuildpack(name))) {
    decisions.push({ what: 'the server detects the framework', because: 'it has buildpacks that are not known here' });
    return undefined;
  }
  return {
    refusal: 'No framework was found in the folder',
    lookedFor: detection.lookedFor,
    next: 'Push from the folder that holds the code, or say what it is: --buildpack NAME, or --command "…" for a program',
  };
}

function detected(
  detection: Extract<Detection, { found: Framework }>,
  context: { facts: PushFacts; manifest: Record<string, unknown>; decisions: Decision[] },
): Framework {
  const { found, others } = detection;
  const { serverBuildpacks } = context.facts;
  context.decisions.push({ what: found.name, because: found.because });
  if (others.length === 0) return found;
  const rivals = others.map((other) => `${other.name} (${other.because})`).join(', ');
  if (serverBuildpacks?.includes(found.buildpack) !== false) context.manifest.buildpacks = [found.buildpack];
  context.decisions.push({
    what: `buildpack ${found.buildpack}`,
    because: `it could also be ${rivals}; --buildpack chooses`,
  });
  return found;
}

function addRoutes(
  manifest: Record<string, unknown>,
  context: { spec: AppSpec; flags: PushFlags; facts: PushFacts; name: string },
): PushRefusal | undefined {
  const { spec, flags, facts, name } = context;
  const says = (key: string) => flags.manifest[key] === true || (flags.routes.length === 0 && manifest[key] === true);
  if (flags.routes.length > 0) manifest['no-route'] = flags.manifest['no-route'];
  if (says('no-route')) return undefined;
  const values: string[] = [];
  const domain = flags.domain ?? spec.domain;
  const written = flags.routes.length > 0 ? flags.routes : flags.domain === undefined ? spec.routes : [];
  for (const text of written) {
    const route = filled(text, { ...facts.substitutions, name });
    if ('refusal' in route) return route;
    values.push(route.value.replace(/^https?:\/\//, '').replace(/\/$/, ''));
  }
  if (values.length === 0 && (domain !== undefined || spec.host !== undefined)) {
    const base = domain ?? facts.substitutions['target-base'] ?? '';
    values.push(`${spec.host ?? name}.${base}`);
  }
  if (values.length > 0) manifest.routes = values.map((route) => ({ route }));
  else if (!says('random-route') && manifest['default-route'] === undefined) manifest['default-route'] = true;
  return undefined;
}

function hasOwnWeb(manifest: Readonly<Record<string, unknown>>): boolean {
  const processes = Array.isArray(manifest.processes) ? manifest.processes : [];
  return processes.some((process) => process?.type === 'web');
}

function filled(text: string, values: Readonly<Record<string, string>>): { value: string } | PushRefusal {
  const unknown: string[] = [];
  const value = text.replace(/\$\{([^}]*)\}/g, (_whole, name: string) => {
    if (!Object.hasOwn(values, name)) unknown.push(name);
    return values[name] ?? '';
  });
  if (unknown.length === 0) return { value };
  return {
    refusal: `'${text}' uses \${${unknown[0]}}, which is not known`,
    next: `Known are: ${Object.keys(values)
      .map((name) => `\${${name}}`)
      .join(', ')}`,
  };
}
