import type { Static } from 'typebox';
import Type from 'typebox';

/** `release.json` in a release's archive: what it is. */
export const Release = Type.Object({
  version: Type.String({ description: 'of the platform, as in 1.2.3' }),
  arch: Type.String({ description: 'processor that its programs are for: x64 or arm64' }),
});
export type Release = Static<typeof Release>;

/** An upgrade of a cluster under way, or ended; kept by the Core. */
export const Upgrade = Type.Object({
  release: Release,
  sha256: Type.String({ description: 'of the archive, hex' }),
  nodes: Type.Array(
    Type.Object({
      id: Type.String(),
      address: Type.String(),
      state: Type.Union([
        Type.Literal('waiting'),
        Type.Literal('running'),
        Type.Literal('done'),
        Type.Literal('failed'),
      ]),
      because: Type.Optional(Type.String({ description: 'why it failed' })),
    }),
    { description: 'in their order' },
  ),
  evacuates: Type.Boolean({ description: 'are DEAs emptied before they stop?' }),
  offline: Type.Boolean({ description: 'is nothing fetched but from the Core?' }),
});
export type Upgrade = Static<typeof Upgrade>;
