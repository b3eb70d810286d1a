import type { Migration } from '../../../platform/db.ts';
import { organizationTables } from './0001-organizations.ts';
import { appTables } from './0002-apps.ts';
import { destinationApps } from './0003-destinations.ts';
import { eventTimes } from './0004-events.ts';
import { buildOffers } from './0005-build-offers.ts';
import { claims } from './0006-claims.ts';
import { blobHolds } from './0007-blob-holds.ts';

/** The history of the controller's tables, oldest first. */
export const controllerMigrations: readonly Migration[] = [
  organizationTables,
  appTables,
  destinationApps,
  eventTimes,
  buildOffers,
  claims,
  blobHolds,
];

/** The PostgreSQL schema that holds them. */
export const controllerSchemaName = 'controller';
