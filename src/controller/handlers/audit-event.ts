import { PlatformError } from '../../contract/errors.ts';
import { listed } from '../api/list.ts';
import { ok } from '../api/reply.ts';
import { type Route, route } from '../api/route.ts';
import { presentAuditEvent } from '../present/audit-event.ts';
import { findAuditEvent, listAuditEvents } from '../store/audit-event.ts';

/** What was done, by whom, to what. */
export const auditEventRoutes: readonly Route[] = [
  route({
    method: 'GET',
    path: '/v3/audit_events',
    summary: 'List audit events',
    permission: { kind: 'authenticated' },
    query: {
      params: ['types', 'target_guids', 'space_guids', 'organization_guids'],
      list: { order: ['created_at', 'updated_at'] },
    },
    handler: async (request) => {
      const page = await listAuditEvents(request.controller.db, request.caller, request.query);
      return listed(request, page, { present: (row) => presentAuditEvent(row, request.baseUrl) });
    },
  }),
  route({
    method: 'GET',
    path: '/v3/audit_events/:guid',
    summary: 'Get an audit event',
    permission: { kind: 'authenticated' },
    handler: async ({ controller, caller, params, baseUrl }) => {
      const event = await findAuditEvent(controller.db, caller, params.guid);
      if (!event) throw new PlatformError('ResourceNotFound', 'Event not found');
      return ok(presentAuditEvent(event, baseUrl));
    },
  }),
];
