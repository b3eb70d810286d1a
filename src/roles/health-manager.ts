import { serviceHost } from '../contract/topology.ts';
import { BulkApi } from '../health/bulk-api.ts';
import { soleLeadership } from '../health/leadership.ts';
import { forgetfulNotebook } from '../health/notebook.ts';
import { healthParts } from '../health/part.ts';
import { DatabaseLeadership } from '../health/store/leader.ts';
import { DatabaseNotebook } from '../health/store/notebook.ts';
import type { Role } from './role.ts';

/** The health manager; without a database of its own it takes itself for the only one. */
export const healthManager: Role = (boot, bus) => {
  const { credentials, clock, log, config } = boot;
  const { databaseUrl } = credentials;
  const leadership = databaseUrl ? new DatabaseLeadership({ databaseUrl, clock, log }) : soleLeadership();
  const notebook = databaseUrl ? new DatabaseNotebook(databaseUrl) : forgetfulNotebook();
  const source = new BulkApi(bus, `http://${serviceHost(boot.node)}:${config.controller.port}`);
  return healthParts(boot, bus, { source, leadership, notebook });
};
