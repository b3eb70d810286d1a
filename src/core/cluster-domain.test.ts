import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DomainFacts, domainOfEndpoint, judgeDomain } from './cluster-domain.ts';

test('an endpoint names its domain, with api. in front or without', () => {
  assert.deepEqual(domainOfEndpoint('api.Cloud.example.com'), { domain: 'cloud.example.com' });
  assert.deepEqual(domainOfEndpoint('cloud.example.com'), { domain: 'cloud.example.com' });
  for (const wrong of [
    '',
    'api.',
    'api.com',
    'a b.example',
    '-a.example',
    'https://api.example.com',
    'x..y',
    '10.0.0.1',
  ]) {
    assert.ok('refused' in domainOfEndpoint(wrong), wrong);
  }
});

const free: DomainFacts = { to: 'new.test', known: undefined, owned: [], below: [], hosts: ['shop'] };

test('a domain that nobody has, or that all share, may be the platform’s', () => {
  assert.equal(judgeDomain(free), undefined);
  assert.equal(judgeDomain({ ...free, known: { isShared: true, hosts: ['other'] }, below: ['x.new.test'] }), undefined);
});

test('a domain that belongs to an organization, or lies below one, may not', () => {
  assert.match(judgeDomain({ ...free, known: { isShared: false, hosts: [] } }) ?? '', /belongs to an organization/);
  assert.match(judgeDomain({ ...free, owned: ['test'] }) ?? '', /below test/);
});

test('routes and domains in the place of the platform’s own hosts, or of apps’, are named', () => {
  const known = { isShared: true, hosts: ['api', '', 'fine'] };
  assert.match(judgeDomain({ ...free, known }) ?? '', /api\.new\.test, new\.test,/);
  assert.match(judgeDomain({ ...free, below: ['console.new.test'] }) ?? '', /console\.new\.test/);
  assert.match(judgeDomain({ ...free, below: ['shop.new.test'] }) ?? '', /shop\.new\.test/);
});
