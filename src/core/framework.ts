/** What detection looks at: the app's files by relative path, and the text of small ones. */
export type FolderFacts = {
  readonly files: readonly string[];
  /** The content of a file that `filesToRead` names, when it is there. */
  readonly read: (path: string) => string | undefined;
};

export type Framework = {
  readonly name: string;
  readonly buildpack: string;
  /** What in the folder says so, for people. */
  readonly because: string;
  /** Memory of a new app that names none, MB. */
  readonly defaultMemoryMb: number;
};

/** The outcome: the framework and what else it looks like, or what was looked for in vain. */
export type Detection =
  | { readonly found: Framework; readonly others: readonly Framework[] }
  | { readonly found: undefined; readonly lookedFor: readonly string[] };

type Rule = {
  readonly name: string;
  readonly buildpack: string;
  readonly memoryMb: number;
  readonly looksFor: string;
  readonly match: (folder: FolderFacts) => string | undefined;
};

const hasFile = (folder: FolderFacts, ...names: readonly string[]) => names.find((name) => folder.files.includes(name));
const atTop = (folder: FolderFacts, pattern: RegExp) =>
  folder.files.find((file) => !file.includes('/') && pattern.test(file));

/** From the most telling to the least: a Rails app has a `package.json` too, and almost anything an `index.html`. */
const RULES: readonly Rule[] = [
  {
    name: 'Java',
    buildpack: 'java_buildpack',
    memoryMb: 512,
    looksFor: 'pom.xml, build.gradle, a .jar or .war (Java)',
    match: (folder) =>
      hasFile(folder, 'pom.xml', 'build.gradle', 'build.gradle.kts', 'WEB-INF/web.xml') ??
      atTop(folder, /\.(jar|war)$/i) ??
      (/^Main-Class:/m.test(folder.read('META-INF/MANIFEST.MF') ?? '')
        ? 'Main-Class in META-INF/MANIFEST.MF'
        : undefined),
  },
  {
    name: 'Ruby',
    buildpack: 'ruby_buildpack',
    memoryMb: 256,
    looksFor: 'Gemfile (Ruby)',
    match: (folder) => {
      const gemfile = hasFile(folder, 'Gemfile');
      return gemfile && ['Gemfile', hasFile(folder, 'config.ru')].filter(Boolean).join(', ');
    },
  },
  {
    name: 'Python',
    buildpack: 'python_buildpack',
    memoryMb: 256,
    looksFor: 'requirements.txt, Pipfile, pyproject.toml or setup.py (Python)',
    match: (folder) => hasFile(folder, 'requirements.txt', 'Pipfile', 'pyproject.toml', 'setup.py', 'environment.yml'),
  },
  {
    name: 'Go',
    buildpack: 'go_buildpack',
    memoryMb: 128,
    looksFor: 'go.mod or *.go (Go)',
    match: (folder) => hasFile(folder, 'go.mod', 'Godeps/Godeps.json', 'glide.yaml') ?? atTop(folder, /\.go$/),
  },
  {
    name: 'PHP',
    buildpack: 'php_buildpack',
    memoryMb: 128,
    looksFor: 'composer.json or *.php (PHP)',
    match: (folder) => hasFile(folder, 'composer.json', 'index.php', 'htdocs/index.php') ?? atTop(folder, /\.php$/),
  },
  {
    name: 'Node.js',
    buildpack: 'nodejs_buildpack',
    memoryMb: 256,
    looksFor: 'package.json (Node.js)',
    match: (folder) => (hasFile(folder, 'package.json') ? nodeReason(folder) : undefined),
  },
  {
    name: 'static files',
    buildpack: 'staticfile_buildpack',
    memoryMb: 64,
    looksFor: 'Staticfile or index.html (static files)',
    match: (folder) => hasFile(folder, 'Staticfile', 'index.html', 'index.htm', 'public/index.html'),
  },
  {
    name: 'binary',
    buildpack: 'binary_buildpack',
    memoryMb: 256,
    looksFor: 'Procfile (anything that starts by a command)',
    match: (folder) => hasFile(folder, 'Procfile'),
  },
];

/** Memory of a new app of no known framework, MB. */
export const otherMemoryMb = 256;

/** Files whose content `detectFramework` may ask for. */
export const filesToRead: readonly string[] = ['package.json', 'Procfile', 'META-INF/MANIFEST.MF'];

/** Finds out what an app is by its files. */
export function detectFramework(folder: FolderFacts): Detection {
  const matches = RULES.flatMap((rule) => {
    const because = rule.match(folder);
    return because === undefined ? [] : [toFramework(rule, because)];
  });
  const [found, ...rest] = matches;
  if (!found) return { found: undefined, lookedFor: RULES.map((rule) => rule.looksFor) };
  const procfile = webCommand(folder.read('Procfile'));
  const start = procfile === undefined ? '' : `, start command \`${procfile}\` from the Procfile`;
  return { found: { ...found, because: `${found.because}${start}` }, others: rest.filter(isRival) };
}

/** The framework behind a name that a user wrote: `node`, `nodejs`, `node.js_buildpack`, `static`. */
export function frameworkNamed(name: string): Framework | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/_?buildpack$|[^a-z]/g, '');
  const wanted = { node: 'nodejs', static: 'staticfile', staticfiles: 'staticfile' }[plain(name)] ?? plain(name);
  const rule = RULES.find((one) => plain(one.buildpack) === wanted || plain(one.name) === wanted);
  return rule && toFramework(rule, `named '${name}'`);
}

/** Is it one of the buildpacks that come with the platform, whose detection is known here? */
export function isBuiltInBuildpack(name: string): boolean {
  return RULES.some((rule) => rule.buildpack === name);
}

function toFramework(rule: Rule, because: string): Framework {
  return { name: rule.name, buildpack: rule.buildpack, because, defaultMemoryMb: rule.memoryMb };
}

/** A Procfile or an index page beside real code does not make it ambiguous. */
function isRival(framework: Framework): boolean {
  return framework.buildpack !== 'binary_buildpack' && framework.buildpack !== 'staticfile_buildpack';
}

function nodeReason(folder: FolderFacts): string {
  const script = startScript(folder.read('package.json'));
  if (script !== undefined) return `package.json, start script \`${script}\``;
  const main = hasFile(folder, 'server.js', 'app.js', 'index.js');
  return main === undefined ? 'package.json without a start script' : `package.json, ${main}`;
}

function startScript(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || !('scripts' in value)) return undefined;
    const { scripts } = value;
    if (typeof scripts !== 'object' || scripts === null || !('start' in scripts)) return undefined;
    return typeof scripts.start === 'string' && scripts.start !== '' ? scripts.start : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function webCommand(procfile: string | undefined): string | undefined {
  return /^web\s*:\s*(.+)$/m.exec(procfile ?? '')?.[1]?.trim();
}
