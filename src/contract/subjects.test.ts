import assert from 'node:assert/strict';
import { test } from 'node:test';
import { subjects } from './subjects.ts';

/** The names that peers of the field know, from reference section 2 of the bus contract. */
const known = {
  componentAnnounce: 'vcap.component.announce',
  componentDiscover: 'vcap.component.discover',
  deaAdvertise: 'dea.advertise',
  deaFindDroplet: 'dea.find.droplet',
  deaHeartbeat: 'dea.heartbeat',
  dropletExited: 'droplet.exited',
  dropletUpdated: 'droplet.updated',
  routerGreet: 'router.greet',
  routerRegister: 'router.register',
  routerStart: 'router.start',
  routerUnregister: 'router.unregister',
  stagingAdvertise: 'staging.advertise',
  stagingStop: 'staging.stop',
} as const;

test('subjects have the names that peers know', () => {
  for (const [key, name] of Object.entries(known)) {
    assert.equal(subjects[key as keyof typeof known].name(), name);
  }
  assert.equal(subjects.deaStart.name('abc'), 'dea.abc.start');
  assert.equal(subjects.stagingStart.name('abc'), 'staging.abc.start');
});

test('no two subjects share a name', () => {
  const names = Object.values(subjects).map((subject) => (subject.name as (...p: string[]) => string)('x'));
  assert.equal(new Set(names).size, names.length);
});
