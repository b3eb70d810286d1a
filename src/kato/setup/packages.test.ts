import assert from 'node:assert/strict';
import { test } from 'node:test';
import { policyText, servicesOf } from './packages.ts';

test('the policy that keeps new services from starting tells an interrupted set-up which they are', () => {
  assert.deepEqual(servicesOf(policyText(['haproxy', 'nats-server'])), ['haproxy', 'nats-server']);
  assert.deepEqual(servicesOf(policyText([])), []);
  assert.equal(servicesOf('#!/bin/sh\nexit 101\n'), undefined);
  assert.equal(servicesOf(''), undefined);
});
