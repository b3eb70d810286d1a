import { subjects } from '../contract/subjects.ts';
import type { Controller } from './api/controller.ts';
import type { AppPlace, AppRow } from './store/app.ts';

/** Writes a line of source API into an app's log. */
export function sayToApp(
  { bus, clock }: Pick<Controller, 'bus' | 'clock'>,
  app: Pick<AppRow, 'guid' | 'name'>,
  line: { readonly text: string; readonly place?: AppPlace },
): void {
  const { place } = line;
  bus.publish(subjects.appLog, [app.guid], {
    app: app.guid,
    tags: {
      app_id: app.guid,
      app_name: app.name,
      ...(place ? { space_name: place.space.name, organization_name: place.organization.name } : {}),
    },
    lines: [
      {
        at: `${clock.nowMs()}000000`,
        source: 'API',
        instance: '0',
        type: 'OUT',
        text: line.text,
      },
    ],
  });
}
