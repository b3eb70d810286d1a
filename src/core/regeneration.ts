/** What can be made anew on a node. */
export const regenerationTargets = [
  'bus',
  'ssl_cert',
  'token-signing-secret',
  'controller-keys',
  'postgresql',
] as const;
export type RegenerationTarget = (typeof regenerationTargets)[number];

/** What each one is, in a line. */
export const regenerationDescriptions: Readonly<Record<RegenerationTarget, string>> = {
  bus: "this node's passwords of the message bus, and of the control database when it is not the Core",
  ssl_cert: "this node's certificates and their keys; on the Core also the routers' certificate, on every router",
  'token-signing-secret': 'the key that signs login tokens; tokens signed before are good until they end',
  'controller-keys': "the controllers' keys of internal addresses and of their OAuth clients; stagings that run fail",
  postgresql: "the Core's own passwords of the control database",
};

const aliases: Readonly<Record<string, RegenerationTarget>> = {
  certificates: 'ssl_cert',
  'cloud-controller-keys': 'controller-keys',
};
const ofEveryNode: readonly RegenerationTarget[] = ['bus', 'ssl_cert'];

/** What is to be made anew on this node, in order; or why a name is none. */
export function planRegeneration(
  names: readonly string[],
  { isCore }: { isCore: boolean },
): readonly RegenerationTarget[] | { readonly refused: string; readonly next: string } {
  const here = isCore ? regenerationTargets : ofEveryNode;
  const wanted = new Set<RegenerationTarget>();
  for (const name of names) {
    const target = regenerationTargets.find((one) => one === (aliases[name] ?? name));
    if (name === 'all') for (const one of here) wanted.add(one);
    else if (target === undefined) {
      return { refused: `there is no secret '${name}'`, next: `one of all, ${regenerationTargets.join(', ')}` };
    } else if (!here.includes(target)) {
      return { refused: `${target} is kept by the Core node`, next: `run it there: kato op regenerate ${target}` };
    } else wanted.add(target);
  }
  return regenerationTargets.filter((one) => wanted.has(one));
}
