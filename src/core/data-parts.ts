/** What the platform's data consists of: schemas of the control database, and kinds of blobs. */
export const dataParts = {
  'control-database': {
    schemas: ['controller', 'health'],
    blobs: undefined,
    what: 'organizations, spaces, apps, routes',
  },
  users: { schemas: ['aok'], blobs: undefined, what: 'users, their passwords and groups' },
  settings: { schemas: ['primary'], blobs: undefined, what: 'cluster configuration and licence' },
  packages: { schemas: [], blobs: 'packages', what: 'source code of apps' },
  droplets: { schemas: [], blobs: 'droplets', what: 'apps, built' },
  buildpacks: { schemas: [], blobs: 'buildpacks', what: 'buildpacks that were uploaded' },
  resources: { schemas: [], blobs: 'resources', what: 'files that clients need not upload again' },
} as const;

export type DataPart = keyof typeof dataParts;

/** Every part by name. */
export const dataPartNames = Object.keys(dataParts) as readonly DataPart[];

/**
 * The parts that somebody wants.
 *
 * @param wanted names, several in one with commas; `left`: parts that are not to be had
 * @returns the parts in their order, or why there are none such
 */
export function chooseParts(wanted: {
  readonly only?: readonly string[] | undefined;
  readonly without?: readonly string[] | undefined;
  readonly left?: readonly string[];
}): readonly DataPart[] | { readonly refused: string } {
  const named = (names: readonly string[] = []) => names.flatMap((name) => name.split(',')).filter(Boolean);
  const [only, without, left] = [named(wanted.only), named(wanted.without), wanted.left ?? []];
  const unknown = [...only, ...without].find((name) => !(dataPartNames as readonly string[]).includes(name));
  if (unknown !== undefined) return { refused: `there is no part '${unknown}'; there are ${dataPartNames.join(', ')}` };
  const absent = only.find((name) => left.includes(name));
  if (absent !== undefined) return { refused: `${absent} was left out of the archive when it was made` };
  const chosen = dataPartNames.filter(
    (part) => !left.includes(part) && !without.includes(part) && (only.length === 0 || only.includes(part)),
  );
  // Blobs are nobody's without the rows that speak of them.
  const hasRows = chosen.includes('control-database');
  const orphan = hasRows ? undefined : only.find((name) => dataParts[name as DataPart].blobs !== undefined);
  if (orphan !== undefined) return { refused: `${orphan} belong to apps, which are in control-database: name it too` };
  const parts = chosen.filter((part) => hasRows || dataParts[part].blobs === undefined);
  return parts.length > 0 ? parts : { refused: 'that leaves nothing' };
}

/** Schemas of the control database that belong to these parts. */
export function schemasOf(parts: readonly DataPart[]): string[] {
  return parts.flatMap((part) => dataParts[part].schemas);
}

/** Kinds of blobs among these parts. */
export function blobKindsOf(parts: readonly DataPart[]): string[] {
  return parts.flatMap((part) => dataParts[part].blobs ?? []);
}
