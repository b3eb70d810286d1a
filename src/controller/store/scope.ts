import type { Db } from '../../platform/db.ts';
import type { ControllerSchema } from './schema.ts';

/** Things whose permissions follow from where they belong. */
export type ScopeName =
  | 'organization'
  | 'space'
  | 'route'
  | 'domain'
  | 'app'
  | 'process'
  | 'package'
  | 'build'
  | 'droplet'
  | 'deployment'
  | 'task'
  | 'revision'
  | 'sidecar';

/** Where a thing belongs. */
export type Scope = {
  readonly organizationGuid?: string;
  /** Unset for things of an organization. */
  readonly spaceGuid?: string;
  /** The app, for things of an app. */
  readonly appGuid?: string;
  /** More spaces that see it as their own: those a route is shared with. */
  readonly sharedSpaceGuids?: readonly string[];
};

/** How to find where a thing belongs. `label` is its name in `<label> not found`. */
export type ScopeFinder = {
  readonly label: string;
  readonly find: (db: Db<ControllerSchema>, guid: string) => Promise<Scope | undefined>;
};

export type ScopeFinders = Partial<Readonly<Record<ScopeName, ScopeFinder>>>;

/** Scopes of organizations and what is in them. */
export const organizationScopes: ScopeFinders = {
  organization: {
    label: 'Organization',
    find: async (db, guid) => {
      const row = await db.selectFrom('organizations').select('guid').where('guid', '=', guid).executeTakeFirst();
      return row && { organizationGuid: row.guid };
    },
  },
  space: {
    label: 'Space',
    find: async (db, guid) => {
      const row = await db
        .selectFrom('spaces')
        .select(['guid', 'organization_guid'])
        .where('guid', '=', guid)
        .executeTakeFirst();
      return row && { organizationGuid: row.organization_guid, spaceGuid: row.guid };
    },
  },
  route: {
    label: 'Route',
    find: async (db, guid) => {
      const row = await db
        .selectFrom('routes')
        .innerJoin('spaces', 'spaces.guid', 'routes.space_guid')
        .select(['spaces.guid', 'spaces.organization_guid'])
        .where('routes.guid', '=', guid)
        .executeTakeFirst();
      if (!row) return undefined;
      const shares = await db.selectFrom('route_shares').select('space_guid').where('route_guid', '=', guid).execute();
      return {
        organizationGuid: row.organization_guid,
        spaceGuid: row.guid,
        sharedSpaceGuids: shares.map((share) => share.space_guid),
      };
    },
  },
};
