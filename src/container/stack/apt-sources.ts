import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isMissing } from '../../platform/files.ts';

/** Where packages of a release come from. */
export type AptSource = {
  readonly uri: string;
  readonly suite: string;
  readonly components: readonly string[];
  readonly signedBy?: string;
};

/** The machine's own package sources, of whatever release. */
export async function readAptSources(folder = '/etc/apt'): Promise<AptSource[]> {
  const files = [join(folder, 'sources.list')];
  for (const name of (await namesIn(join(folder, 'sources.list.d'))).sort()) {
    if (/\.(list|sources)$/.test(name)) files.push(join(folder, 'sources.list.d', name));
  }
  const texts = await Promise.all(files.map(async (file) => ({ file, text: await textOf(file) })));
  return texts.flatMap(({ file, text }) => (file.endsWith('.sources') ? parseStanzas(text) : parseLines(text)));
}

/** Sources of a release and its updates: those that the machine names, else the servers of its own release `own`. */
export function selectAptSources(
  all: readonly AptSource[],
  { suite, own }: { suite: string; own: string },
): readonly AptSource[] {
  const of = (release: string) =>
    all
      .filter((source) => source.components.includes('main'))
      .filter((source) => [release, `${release}-updates`, `${release}-security`].includes(source.suite));
  const named = of(suite);
  return named.length > 0 ? named : of(own).map((source) => ({ ...source, suite: source.suite.replace(own, suite) }));
}

/** A source as one line of `sources.list`. */
export function formatAptSource(source: AptSource, components: readonly string[]): string {
  const options = source.signedBy ? ` [signed-by=${source.signedBy}]` : '';
  const wanted = source.components.filter((component) => components.includes(component));
  return `deb${options} ${source.uri} ${source.suite} ${wanted.join(' ')}`;
}

/** `deb [signed-by=…] uri suite component…` */
export function parseLines(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const match = /^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]+)/.exec(line.trim());
    if (!match) return [];
    const [, options = '', uri = '', suite = '', components = ''] = match;
    const signedBy = /signed-by=(\S+)/.exec(options)?.[1];
    return [{ uri, suite, components: components.trim().split(/\s+/), ...(signedBy ? { signedBy } : {}) }];
  });
}

/** The newer form, of stanzas with fields. */
export function parseStanzas(text: string): AptSource[] {
  return text
    .split('\n')
    .filter((line) => !line.startsWith('#'))
    .join('\n')
    .split(/\n\s*\n/)
    .flatMap((stanza) => {
      const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'im').exec(stanza)?.[1]?.trim() ?? '';
      const list = (name: string) => field(name).split(/\s+/).filter(Boolean);
      if (!list('Types').includes('deb') || field('Enabled') === 'no') return [];
      const signedBy = field('Signed-By');
      return list('URIs').flatMap((uri) =>
        list('Suites').map((suite) => ({
          ...{ uri, suite, components: list('Components') },
          ...(signedBy.startsWith('/') ? { signedBy } : {}),
        })),
      );
    });
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function textOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}
