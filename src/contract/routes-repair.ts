import type { Static } from 'typebox';
import Type from 'typebox';

/** Answer of `POST /internal/v1/routes_repair`. */
export const RoutesRepaired = Type.Object({
  apps: Type.Integer({ description: 'apps whose running instances were told their routes again' }),
  reserved: Type.Array(Type.String(), { description: 'routes at hosts that are the platform’s own: never served' }),
});
export type RoutesRepaired = Static<typeof RoutesRepaired>;
