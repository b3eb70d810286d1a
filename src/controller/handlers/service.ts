import { PlatformError } from '../../contract/errors.ts';
import { listed } from '../api/list.ts';
import { type Route, route } from '../api/route.ts';

const UNSUPPORTED = 'Services are not supported yet on this platform; give apps what they need with set-env.';
const catalogue = ['space_guids', 'organization_guids', 'service_broker_names', 'service_broker_guids', 'available'];
const bindings = ['service_instance_guids', 'service_instance_names', 'service_plan_guids', 'service_offering_guids'];

/** Services are not supported yet: every list of them is empty, and none can be created. Clients ask for them with spaces and routes. */
export const serviceRoutes: readonly Route[] = [
  ...collection('service_brokers', { params: ['names', 'space_guids'], include: [] }),
  ...collection('service_offerings', { params: [...catalogue, 'names', 'fields[service_broker]'], include: [] }),
  ...collection('service_plans', {
    params: [
      ...[...catalogue, 'names', 'service_offering_names', 'service_offering_guids', 'service_instance_guids'],
      ...['broker_catalog_ids', 'fields[service_offering.service_broker]'],
    ],
    include: ['space.organization', 'service_offering'],
  }),
  ...collection('service_instances', {
    params: [
      ...['names', 'type', 'space_guids', 'organization_guids', 'service_plan_guids', 'service_plan_names'],
      ...['fields[space]', 'fields[space.organization]', 'fields[service_plan]'],
      ...['fields[service_plan.service_offering]', 'fields[service_plan.service_offering.service_broker]'],
    ],
    include: [],
  }),
  ...collection('service_credential_bindings', {
    params: [...bindings, 'names', 'type', 'app_guids', 'app_names', 'service_plan_names', 'service_offering_names'],
    include: ['app', 'service_instance'],
  }),
  ...collection('service_route_bindings', {
    params: [...bindings, 'route_guids'],
    include: ['route', 'service_instance'],
  }),
];

function collection(name: string, query: { params: readonly string[]; include: readonly string[] }): Route[] {
  const noun = name.replaceAll('_', ' ');
  const path = `/v3/${name}`;
  return [
    route({
      method: 'GET',
      path,
      summary: `List ${noun}: there are none yet`,
      permission: { kind: 'authenticated' },
      query: { ...query, list: { order: ['created_at', 'updated_at', 'name'], isLabelled: true } },
      handler: async (request) => listed(request, { rows: [], total: 0 }, { present: (row) => row }),
    }),
    route({
      method: 'POST',
      path,
      summary: `Create one of the ${noun} (not supported yet)`,
      permission: { kind: 'authenticated' },
      handler: async () => {
        throw new PlatformError('UnprocessableEntity', UNSUPPORTED);
      },
    }),
  ];
}
