import type { StagingSettings } from './staging-settings.ts';

export type RegistryServer = { readonly host: string; readonly port: number };

const PORTS: Readonly<Record<string, number>> = { http: 80, https: 443, socks5: 1080, socks5h: 1080 };
const URLS = /\b([a-z][a-z0-9]*):\/\/(?:[^/@\s]*@)?([^\s:/,|?#[\]]+)(?::(\d+))?/gi;

/** The servers that the operator's settings send builds to: registries, mirrors and proxies; each once. */
export function registryServers(settings: StagingSettings): RegistryServer[] {
  const { npmRegistry, pipIndex, gemSource, goProxy, mavenMirror, composerRepository, environment } = settings;
  const texts = [
    ...[npmRegistry, pipIndex, gemSource, goProxy, mavenMirror, composerRepository],
    ...Object.entries(environment).map(([name, value]) => (isProxy(name) ? withScheme(value) : value)),
  ];
  const found = texts.flatMap((text) =>
    [...text.matchAll(URLS)].flatMap(([, scheme = '', host = '', port]) => {
      const number = Number(port ?? PORTS[scheme.toLowerCase()] ?? 0);
      return number > 0 && number < 65_536 ? [{ host: host.toLowerCase(), port: number }] : [];
    }),
  );
  return [...new Map(found.map((server) => [`${server.host}:${server.port}`, server])).values()];
}

/** Programs take a proxy without a scheme as one that speaks HTTP. */
function withScheme(proxy: string): string {
  return proxy === '' || proxy.includes('://') ? proxy : `http://${proxy}`;
}

function isProxy(name: string): boolean {
  return /_proxy$/i.test(name) && !/^no_proxy$/i.test(name);
}
