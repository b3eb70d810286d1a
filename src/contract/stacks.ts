/** The stack that comes with the platform. */
export const defaultStack = 'stackato';

/** Other names under which apps ask for it. */
export const stackAliases: Readonly<Record<string, string>> = { cflinuxfs4: defaultStack };

/** The stack behind a name. */
export function resolveStack(name: string): string {
  return stackAliases[name] ?? (name === '' ? defaultStack : name);
}
