import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type QuotaDemand, type QuotaLimits, quotaErrors } from './quota.ts';

const unlimited: QuotaLimits = {
  totalMemoryMb: null,
  processMemoryMb: null,
  totalInstances: null,
  logRateBytesS: null,
};
const othersUse = { memoryMb: 512, instances: 2, logRateBytesS: 1000 };
const demand: QuotaDemand = { memoryMb: 256, instances: 2, logRateBytesS: -1 };

const table: [string, Partial<QuotaLimits>, Partial<QuotaDemand>, string, string][] = [
  ['unlimited', {}, {}, '', ''],
  ['memory exactly used up', { totalMemoryMb: 1024 }, {}, '', ''],
  ['memory exceeded', { totalMemoryMb: 1023 }, {}, 'memory space_quota_exceeded', 'memory quota_exceeded'],
  [
    'instance memory',
    { processMemoryMb: 255 },
    {},
    'memory space_instance_memory_limit_exceeded',
    'memory instance_memory_limit_exceeded',
  ],
  [
    'instances',
    { totalInstances: 3 },
    {},
    'app_instance_limit space_app_instance_limit_exceeded',
    'app_instance_limit app_instance_limit_exceeded',
  ],
  [
    'unlimited log rate against a limit',
    { logRateBytesS: 10_000_000 },
    {},
    'log_rate_limit exceeds space log rate quota',
    'log_rate_limit exceeds organization log rate quota',
  ],
  ['log rate within', { logRateBytesS: 1200 }, { logRateBytesS: 100 }, '', ''],
  ['no instances need no log rate', { logRateBytesS: 0 }, { instances: 0 }, '', ''],
];
for (const [name, limits, change, space, organization] of table) {
  test(`quota: ${name}`, () => {
    const scope = { owner: 'x', limits: { ...unlimited, ...limits }, othersUse };
    const words = (scopes: Parameters<typeof quotaErrors>[1]) =>
      quotaErrors({ ...demand, ...change }, scopes).map((text) => text.split(':')[0]);
    assert.equal(words({ space: scope }).join(', '), space);
    assert.equal(words({ organization: scope }).join(', '), organization);
  });
}

test('quota: the limit, what is used, what was asked for and what to do are told', () => {
  const limits = { ...unlimited, totalMemoryMb: 1000, totalInstances: 3 };
  assert.deepEqual(quotaErrors(demand, { organization: { owner: "organization 'acme'", limits, othersUse } }), [
    "memory quota_exceeded: organization 'acme' may use 1000M, 512M is used by others, 512M was asked for (2 instances of 256M); " +
      'stop or scale down an app, or ask an administrator for a larger quota',
    "app_instance_limit app_instance_limit_exceeded: organization 'acme' may have 3 instances, 2 are used by others, 2 were asked for; " +
      'stop or scale down an app, or ask an administrator for a larger quota',
  ]);
});
