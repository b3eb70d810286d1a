import assert from 'node:assert/strict';
import { test } from 'node:test';
import { subjects } from '../contract/subjects.ts';
import { busGuestNames, guestSubjects } from './bus-guests.ts';
import { busUser, busUserNames, formatBusConfig, isAllowed } from './bus-permissions.ts';

test('every subject has somebody who may say it and somebody who may hear it', () => {
  const orphans = Object.entries(subjects).filter(
    ([, subject]) =>
      !busUserNames.some((user) => isAllowed(user, 'publish', subject as never)) ||
      !busUserNames.some((user) => isAllowed(user, 'subscribe', subject as never)),
  );
  assert.deepEqual(
    orphans.map(([name]) => name),
    [],
  );
});

test('an inbox is read by its owner alone, and nobody has a right to everything', () => {
  for (const name of busUserNames) {
    const { publish, subscribe } = busUser(name);
    assert.deepEqual(
      subscribe.filter((subject) => subject.includes('>')),
      [`_INBOX.${name}.>`],
    );
    assert.ok(!publish.some((subject) => subject.includes('>') || subject.startsWith('_INBOX') || subject === '*'));
  }
});

test('a container host may neither order starts nor read the cluster’s settings changes for others', () => {
  assert.equal(isAllowed('dea', 'publish', subjects.healthStart as never), false);
  assert.equal(isAllowed('dea', 'publish', subjects.deaStart as never), false);
  assert.equal(isAllowed('dea', 'publish', subjects.configChanged as never), false);
  assert.equal(isAllowed('stager', 'subscribe', subjects.appLog as never), false);
});

test('no guest hears what an app is started with, its log or a setting, nor steers anything', () => {
  const secret = [subjects.deaStart, subjects.appLog, subjects.stagingStart, subjects.nodeRun].map((one) =>
    one.name('*'),
  );
  const all = busGuestNames.map(guestSubjects);
  for (const { hears, says } of all) {
    assert.deepEqual(
      hears.filter((one) => secret.includes(one) || one.startsWith('stackato.config')),
      [],
    );
    assert.deepEqual(
      says.filter((one) => /\.(start|stop|update|set|run|register)$/.test(one) && one !== 'router.start'),
      [],
    );
  }
});

test('a node asks for its own certificates only', () => {
  const name = subjects.certificatesOf.name('n1');
  const { publish } = busUser('base', { user: 'base-n2', nodeId: 'n1' });
  assert.deepEqual(
    publish.filter((one) => one.endsWith('.certificates')),
    [name],
  );
  assert.equal(isAllowed('router', 'publish', subjects.certificatesOf as never), false);
});

test('the configuration has our users and the guests, TLS, and quotes what it is given', () => {
  const text = formatBusConfig({
    listen: '127.0.0.1:4222',
    serverName: 'n1',
    tls: { certificate: '/a "b"/c.pem', key: '/k', ca: '/ca' },
    pidFile: '/p',
    users: busUserNames.map((name) => ({ user: name, process: name, password: `secret-${name}` })),
    guests: { monitor: 'secret-guest-monitor', router: 'secret-guest-router' },
  });
  assert.match(text, /cert_file: "\/a \\"b\\"\/c.pem"/);
  assert.equal(text.match(/user: "/g)?.length, busUserNames.length + busGuestNames.length);
  assert.doesNotMatch(text, /no_auth_user|jetstream/);
});
