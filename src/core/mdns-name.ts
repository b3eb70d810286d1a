/**
 * What a micro cloud is called on the local network, `NAME.local`: the setting, else the domain when it is such a name,
 * else the first label of the machine's name.
 */
export function localName(of: { readonly setting: string; readonly domain: string; readonly machine: string }): string {
  if (of.setting !== '') return `${of.setting}.local`;
  if (/^[a-z0-9-]+\.local$/.test(of.domain)) return of.domain;
  const label = (of.machine.toLowerCase().split('.')[0] ?? '')
    .replace(/[^a-z0-9-]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');
  return `${label || 'stackato'}.local`;
}
