import type { Migration } from '../../../platform/db.ts';
import { organizationTables } from './0001-organizations.ts';

/** The history of the controller's tables, oldest first. */
export const controllerMigrations: readonly Migration[] = [organizationTables];

/** The PostgreSQL schema that holds them. */
export const controllerSchemaName = 'controller';
