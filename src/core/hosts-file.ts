const BEGIN = '# begin stackato: written by the platform, changes between these lines are lost';
const END = '# end stackato';
const PER_LINE = 8;

/** The host names in the platform's block of a hosts file. */
export function readHostsBlock(text: string): string[] {
  const block = /# begin stackato[^\n]*\n([\s\S]*?)# end stackato/.exec(text)?.[1] ?? '';
  return block
    .split('\n')
    .flatMap((line) => line.split(/\s+/).slice(1))
    .filter(Boolean);
}

/**
 * A hosts file with exactly these names in the platform's block, everything else untouched; without names, without
 * the block. Only plain host names are written: others can't be in a hosts file.
 */
export function writeHostsBlock(text: string, names: readonly string[], address = '127.0.0.1'): string {
  const rest = text.replace(/# begin stackato[^\n]*\n[\s\S]*?# end stackato[^\n]*\n?/g, '');
  const valid = [...new Set(names.filter(isHostName))].sort();
  if (valid.length === 0) return rest;
  const lines: string[] = [];
  for (let i = 0; i < valid.length; i += PER_LINE) lines.push(`${address} ${valid.slice(i, i + PER_LINE).join(' ')}`);
  const head = rest === '' || rest.endsWith('\n') ? rest : `${rest}\n`;
  return `${head}${[BEGIN, ...lines, END].join('\n')}\n`;
}

/** The host of a route (`host`, `host/path`) if a hosts file can hold it and it is below the domain. */
export function hostOfRoute(uri: string, domain: string): string | undefined {
  const host = (uri.split('/')[0] ?? '').toLowerCase();
  return isHostName(host) && host.endsWith(`.${domain}`) ? host : undefined;
}

function isHostName(name: string): boolean {
  return name.length <= 253 && name.split('.').every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
}
