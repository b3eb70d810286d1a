import { logyardParts } from '../logyard/part.ts';
import type { Role } from './role.ts';

/** Recent logs and their streams. */
export const logyard: Role = (boot, bus) => logyardParts(boot, bus);
