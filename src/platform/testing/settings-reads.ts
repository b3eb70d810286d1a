import type { ClusterConfig } from '../../contract/config.ts';

/** A configuration that notes which of its settings are read, as `section.key`. */
export function watchReads(config: ClusterConfig): { readonly config: ClusterConfig; readonly reads: Set<string> } {
  const reads = new Set<string>();
  const sections = Object.entries(config).map(([section, settings]) => [
    section,
    new Proxy(settings as object, {
      get: (target, key, receiver) => {
        reads.add(`${section}.${String(key)}`);
        return Reflect.get(target, key, receiver);
      },
    }),
  ]);
  return { config: Object.fromEntries(sections) as ClusterConfig, reads };
}
